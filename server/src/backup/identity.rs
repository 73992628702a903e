use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
};

use age::x25519::Identity;
use gatelodge_core::Result;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::{about, cannot};
use crate::config::BackupRecipient;

/// No file of identities is larger; one that is was not meant.
const LARGEST: u64 = 65_536;

/// What opens encrypted backups: the identities in a file, as age writes it.
#[derive(Clone)]
pub(crate) struct Identities {
    pub(super) all: Arc<Vec<Identity>>,
    /// What is unwise about the file, in words.
    pub(crate) warning: Option<String>,
}

impl Identities {
    /// Reads a file of identities: one a line, beside empty lines and comments.
    ///
    /// # Errors
    /// [`gatelodge_core::ErrorKind::Refused`], naming the file and nothing that is in it.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let failed = cannot("read", path);
        let file = File::open(path).map_err(&failed)?;
        let metadata = file.metadata().map_err(&failed)?;
        if metadata.is_dir() {
            return Err(about(path, "is a folder, and no file of identities"));
        }
        let is_open = metadata.is_file() && metadata.permissions().mode() & 0o077 != 0;
        let warning = is_open.then(|| {
            let path = path.display();
            format!("`{path}` can be read by other accounts of this machine: `chmod 600` it")
        });
        // Not moved while it grows: it is a secret.
        let mut text = Zeroizing::new(Vec::with_capacity(70_000));
        file.take(LARGEST + 1)
            .read_to_end(&mut text)
            .map_err(&failed)?;
        let is_text = text.len() as u64 <= LARGEST;
        let text = std::str::from_utf8(&text).ok().filter(|_| is_text);
        let text = text.ok_or_else(|| about(path, "is no file of age identities"))?;
        Ok(Self {
            all: Arc::new(parse(path, text)?),
            warning,
        })
    }
}

fn parse(path: &Path, text: &str) -> Result<Vec<Identity>> {
    let mut all = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let identity = line.parse::<Identity>().map_err(|_| {
            let why = format_args!(
                "is no file of age identities: line {} is none of the form `AGE-SECRET-KEY-1…`",
                index + 1
            );
            about(path, why)
        })?;
        all.push(identity);
    }
    if all.is_empty() {
        return Err(about(path, "holds no age identity"));
    }
    Ok(all)
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").finish_non_exhaustive()
    }
}

/// Makes a file with a new identity; answers its recipient.
///
/// # Errors
/// [`gatelodge_core::ErrorKind::Refused`], naming the file, when it is there
/// already or cannot be written.
pub(crate) fn make_identity_file(path: &Path, now: Timestamp) -> Result<BackupRecipient> {
    let identity = Identity::generate();
    let recipient = BackupRecipient::from(identity.to_public());
    let secret = identity.to_string();
    let text = Zeroizing::new(format!(
        "# created: {}\n# public key: {recipient}\n{}\n",
        now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        secret.expose_secret()
    ));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let mut file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            about(path, "is there already; a key is never written over")
        }
        _ => cannot("made", path)(error),
    })?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Half a key is worth nothing.
        let _ = fs::remove_file(path);
        return Err(cannot("written", path)(error));
    }
    Ok(recipient)
}
