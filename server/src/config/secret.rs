//! Secrets: values that never print themselves, and the files they are read from.

use std::{fmt, fs::File, io::Read, path::Path};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::Finding;

/// What stands where a secret would.
pub const REDACTED: &str = "[redacted]";

/// No secret of ours is larger; a file that is was not meant.
const MAX_SECRET_FILE_BYTES: u64 = 65_536;

/// A secret value. Printed, logged or serialised it is only `[redacted]`; wiped when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The secret itself: for the code that needs it only.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

/// What a file of a secret holds, without the line end that editors add, and what is unwise about the file.
pub(super) struct SecretFile {
    pub(super) secret: Secret,
    pub(super) warning: Option<Finding>,
}

/// Reads the file that `key` names. A file that others may read is a warning, for container platforms mount secrets
/// so; one that others may write is refused, for its content is theirs to choose.
pub(super) fn read_secret_file(key: &str, path: &Path) -> Result<SecretFile, Finding> {
    let file = File::open(path).map_err(|error| unreadable(key, path, &error))?;
    let warning = check_permissions(key, path, &file)?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_SECRET_FILE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(key, path, &error))?;
    if text.len() as u64 > MAX_SECRET_FILE_BYTES {
        return Err(unreadable(key, path, &"it is larger than 64 KiB"));
    }
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(Finding::new(
            key,
            format!("names an empty file, `{}`", path.display()),
        ));
    }
    Ok(SecretFile {
        secret: Secret::from(secret.to_owned()),
        warning,
    })
}

/// What is unwise about the file that `key` names, without reading it.
pub(super) fn check_secret_file(key: &str, path: &Path) -> Result<Option<Finding>, Finding> {
    let file = File::open(path).map_err(|error| unreadable(key, path, &error))?;
    check_permissions(key, path, &file)
}

fn unreadable(key: &str, path: &Path, reason: &dyn fmt::Display) -> Finding {
    Finding::new(
        key,
        format!(
            "names a file that cannot be read, `{}`: {reason}",
            path.display()
        ),
    )
}

#[cfg(unix)]
fn check_permissions(key: &str, path: &Path, file: &File) -> Result<Option<Finding>, Finding> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = file
        .metadata()
        .map_err(|error| unreadable(key, path, &error))?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let mode = metadata.permissions().mode();
    let path = path.display();
    let finding = |may: &str| {
        Finding::new(
            key,
            format!("names a file that others than its owner may {may}, `{path}`"),
        )
        .hint(format!("`chmod 600 {path}` closes it"))
    };
    if mode & 0o022 != 0 {
        return Err(finding("write"));
    }
    Ok((mode & 0o044 != 0).then(|| finding("read")))
}

#[cfg(not(unix))]
fn check_permissions(_: &str, _: &Path, _: &File) -> Result<Option<Finding>, Finding> {
    Ok(None)
}

const SECRETS: [&str; 11] = [
    "secret",
    "password",
    "passphrase",
    "passwd",
    "token",
    "credential",
    "credentials",
    "pepper",
    "key",
    // Addresses of databases hold passwords.
    "owner_url",
    "direct_url",
];

/// Whether a key that is not ours names a secret.
pub(super) fn names_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRETS.iter().any(|word| key.ends_with(word))
}

/// Whether a key that is not ours may hold a secret, as far as its name tells: rather too often than too seldom.
pub(super) fn sounds_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let is_file = key.strip_suffix("_file").is_some_and(names_secret);
    !is_file && (key.contains("private") || SECRETS.iter().any(|word| key.contains(word)))
}
