use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufWriter, Write},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use age::stream::StreamWriter;
use async_trait::async_trait;
use flate2::{Compression, write::GzEncoder};
use gatelodge_core::{Error, Result, archive::BackupSink};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{about, blocking, cannot, is_there, name::part};
use crate::config::BackupRecipient;

/// So many bytes are handed over at once.
const PIECE: usize = 256 * 1024;
/// So many pieces wait at most.
const WAITING: usize = 4;

/// A backup that is being written, on a thread of its own. Dropped, it is given up.
pub(super) struct BackupWriter {
    path: PathBuf,
    sender: mpsc::Sender<Piece>,
    buffer: Vec<u8>,
    thread: JoinHandle<Result<u64>>,
}

enum Piece {
    Bytes(Vec<u8>),
    /// All of it came; without this it is given up.
    End,
}

impl BackupWriter {
    /// Begins the file, under its name for the meantime.
    pub(super) async fn create(path: &Path, recipients: &[BackupRecipient]) -> Result<Self> {
        let (path, recipients) = (path.to_owned(), recipients.to_vec());
        let begun = path.clone();
        let layers = blocking(move || {
            let draft = Draft::create(&begun)?;
            Layers::begin(draft, &recipients).map_err(cannot("written", &begun))
        })
        .await?;
        let (sender, receiver) = mpsc::channel(WAITING);
        let thread = tokio::task::spawn_blocking(move || write(layers, receiver));
        Ok(Self {
            path,
            sender,
            buffer: Vec::with_capacity(PIECE),
            thread,
        })
    }

    /// Makes it durable and gives it its name; answers that and its size.
    pub(super) async fn finish(mut self) -> Result<(PathBuf, u64)> {
        let rest = std::mem::take(&mut self.buffer);
        self.send(Piece::Bytes(rest)).await;
        self.send(Piece::End).await;
        let bytes = joined(self.thread).await?;
        Ok((self.path, bytes))
    }

    /// Gives it up, and answers why writing failed, if it did.
    pub(super) async fn abandon(self) -> Option<Error> {
        drop(self.sender);
        let written = joined(self.thread).await;
        written.err().filter(|error| error.message() != GIVEN_UP)
    }

    /// Whether the thread still takes pieces; why not, it tells at its end.
    async fn send(&self, piece: Piece) -> bool {
        self.sender.send(piece).await.is_ok()
    }
}

const GIVEN_UP: &str = "the backup was given up";

async fn joined(thread: JoinHandle<Result<u64>>) -> Result<u64> {
    let done = thread.await;
    done.unwrap_or_else(|error| Err(Error::internal("a backup broke off").because(error)))
}

#[async_trait]
impl BackupSink for BackupWriter {
    async fn line(&mut self, line: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(line);
        if self.buffer.len() < PIECE {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        if self.send(Piece::Bytes(piece)).await {
            return Ok(());
        }
        Err(about(&self.path, "cannot be written"))
    }
}

fn write(mut layers: Layers, mut receiver: mpsc::Receiver<Piece>) -> Result<u64> {
    let path = layers.path.clone();
    loop {
        match receiver.blocking_recv() {
            Some(Piece::Bytes(bytes)) => {
                let written = layers.gzip.write_all(&bytes);
                written.map_err(cannot("written", &path))?;
            }
            Some(Piece::End) => return layers.finish(),
            None => return Err(Error::refused(GIVEN_UP)),
        }
    }
}

/// Compression over encryption over the file.
struct Layers {
    path: PathBuf,
    gzip: GzEncoder<Envelope>,
}

enum Envelope {
    Open(BufWriter<Draft>),
    Sealed(Box<StreamWriter<BufWriter<Draft>>>),
}

impl Layers {
    fn begin(draft: Draft, recipients: &[BackupRecipient]) -> io::Result<Self> {
        let path = draft.path.clone();
        let file = BufWriter::with_capacity(PIECE, draft);
        let envelope = if recipients.is_empty() {
            Envelope::Open(file)
        } else {
            let recipients = recipients.iter().map(|one| one.as_age() as _);
            let encryptor =
                age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
            Envelope::Sealed(Box::new(encryptor.wrap_output(file)?))
        };
        Ok(Self {
            path,
            gzip: GzEncoder::new(envelope, Compression::default()),
        })
    }

    fn finish(self) -> Result<u64> {
        let failed = cannot("written", &self.path);
        let file = match self.gzip.finish().map_err(&failed)? {
            Envelope::Open(file) => file,
            Envelope::Sealed(sealed) => sealed.finish().map_err(&failed)?,
        };
        let draft = file.into_inner();
        draft
            .map_err(io::IntoInnerError::into_error)
            .map_err(&failed)?
            .keep()
    }
}

impl Write for Envelope {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Open(file) => file.write(bytes),
            Self::Sealed(sealed) => sealed.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Open(file) => file.flush(),
            Self::Sealed(sealed) => sealed.flush(),
        }
    }
}

/// The file under its name for the meantime, which it loses when this is dropped.
/// While it is written it is locked, so that others can tell it from one that was
/// left behind.
struct Draft {
    path: PathBuf,
    part: PathBuf,
    file: File,
    is_kept: bool,
}

impl Draft {
    fn create(path: &Path) -> Result<Self> {
        if is_there(path) {
            return Err(about(path, "is there already"));
        }
        let part = part(path);
        remove_left_behind(&part)?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)
            .map_err(cannot("made", &part))?;
        // From here on it is ours to remove.
        let draft = Self {
            path: path.to_owned(),
            part,
            file,
            is_kept: false,
        };
        draft.file.try_lock().map_err(|_| {
            about(
                &draft.part,
                "cannot be locked: another backup is written there",
            )
        })?;
        Ok(draft)
    }

    /// Makes it durable under its own name.
    fn keep(mut self) -> Result<u64> {
        let failed = cannot("written", &self.part);
        self.file.sync_all().map_err(&failed)?;
        let bytes = self.file.metadata().map_err(&failed)?.len();
        if is_there(&self.path) {
            return Err(about(&self.path, "is there already"));
        }
        fs::rename(&self.part, &self.path).map_err(cannot("given its name", &self.path))?;
        self.is_kept = true;
        let folder = self
            .path
            .parent()
            .filter(|name| !name.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(cannot("written", folder))?;
        Ok(bytes)
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_kept {
            // Nobody can be told, and nothing takes it for a backup.
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// Removes what a backup left behind that was killed.
///
/// # Errors
/// When it is being written, or cannot be removed.
pub(super) fn remove_left_behind(part: &Path) -> Result<()> {
    let file = match open_no_link(part) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot("opened", part)(error)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(about(part, "is locked: another backup is written there"));
        }
        Err(TryLockError::Error(error)) => return Err(cannot("locked", part)(error)),
    }
    // Whoever removed it meanwhile may have begun anew under its name.
    let is_same = match (file.metadata(), part.symlink_metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    };
    if !is_same {
        return Err(about(
            part,
            "changed meanwhile: another backup is written there",
        ));
    }
    fs::remove_file(part).map_err(cannot("removed", part))
}

fn open_no_link(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}
