//! The configuration, and what has to be true of the file before SQLite sees it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use gatelodge_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sqlx::{
    ConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

const PAGE_BYTES: u32 = 4096;
/// After a burst the write-ahead log shrinks to this again.
const KEPT_LOG_BYTES: &str = "16777216";
/// How every SQLite file begins (<https://www.sqlite.org/fileformat2.html>, section 1.3.1).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Where the database is and how it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqliteConfig {
    /// The database file, written `sqlite:<path>`. A missing file is created,
    /// and so are missing folders above it, readable by the owner only.
    #[serde(
        rename = "url",
        deserialize_with = "read_url",
        serialize_with = "write_url"
    )]
    pub path: PathBuf,
    /// How many read units can be open at a time, 1 to 64.
    #[serde(default = "default_max_readers")]
    pub max_readers: u32,
    /// How long to wait for a lock that another process holds, in milliseconds, at most 60,000.
    #[serde(default = "default_busy_timeout_ms")]
    pub busy_timeout_ms: u32,
    /// The size in MiB beyond which the database refuses to grow; unset: as large as the disk.
    #[serde(default)]
    pub max_size_mib: Option<u32>,
}

fn default_max_readers() -> u32 {
    8
}

fn default_busy_timeout_ms() -> u32 {
    5_000
}

fn read_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let url = String::deserialize(deserializer)?;
    parse_url(&url).map_err(de::Error::custom)
}

fn write_url<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("sqlite:{}", path.display()))
}

fn parse_url(url: &str) -> Result<PathBuf> {
    let invalid = |why: &str| Error::invalid("url", format!("`{url}` {why}"));
    let path = url
        .strip_prefix("sqlite:")
        .ok_or_else(|| invalid("does not start with `sqlite:`"))?;
    // `sqlite:///var/x.db` is how other programs write `sqlite:/var/x.db`.
    let path = match path.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => return Err(invalid("names a host; write `sqlite:<path>`")),
        None => path,
    };
    if path.is_empty() {
        return Err(invalid("names no file"));
    }
    if path == ":memory:" {
        return Err(invalid("cannot be used: the database must be a file"));
    }
    if path.contains('?') {
        return Err(invalid("has options, which are keys of their own here"));
    }
    Ok(PathBuf::from(path))
}

impl SqliteConfig {
    /// The defaults, with the database in `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            max_readers: default_max_readers(),
            busy_timeout_ms: default_busy_timeout_ms(),
            max_size_mib: None,
        }
    }

    /// The defaults, with the database in `sqlite:<path>`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] about `url` when it has another form.
    pub fn from_url(url: &str) -> Result<Self> {
        parse_url(url).map(Self::at)
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`], naming the key.
    pub fn check(&self) -> Result<()> {
        let range = |field, value: u32, low: u32, high: u32| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Error::invalid(
                field,
                format!("expected {low} to {high}, found {value}"),
            ))
        };
        range("max_readers", self.max_readers, 1, 64)?;
        range("busy_timeout_ms", self.busy_timeout_ms, 0, 60_000)?;
        range(
            "max_size_mib",
            self.max_size_mib.unwrap_or(1),
            1,
            16_000_000,
        )
    }

    pub(crate) fn busy_timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.busy_timeout_ms))
    }

    /// Makes sure that there is a file that SQLite can open, and answers its
    /// absolute path: a relative one would change its meaning with the working
    /// directory, and one that starts with `file:` is read as a URI.
    pub(crate) fn prepare(&self) -> Result<PathBuf> {
        let path = std::path::absolute(&self.path)
            .map_err(|error| unusable("find the database", &self.path, error))?;
        if path.to_str().is_none() {
            return Err(Error::invalid("url", "the path is not valid UTF-8"));
        }
        if let Some(folder) = path.parent() {
            create_folder(folder)?;
        }
        create_file(&path)?;
        check_magic(&path)?;
        Ok(path)
    }

    /// The connection that writes; it does not create the file.
    pub(crate) fn writer_options(&self, path: &Path) -> SqliteConnectOptions {
        let options = self
            .options(path)
            .page_size(PAGE_BYTES)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", KEPT_LOG_BYTES);
        match self.max_size_mib {
            Some(size) => {
                let pages = u64::from(size) * 1024 * 1024 / u64::from(PAGE_BYTES);
                options.pragma("max_page_count", pages.to_string())
            }
            None => options,
        }
    }

    /// A connection that can only read.
    pub(crate) fn reader_options(&self, path: &Path) -> SqliteConnectOptions {
        self.options(path).read_only(true)
    }

    /// What all connections share. Memory-mapped reading stays off: with it, a
    /// failing disk is a signal that kills the process instead of an error.
    fn options(&self, path: &Path) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .busy_timeout(self.busy_timeout())
            .pragma("trusted_schema", "OFF")
            .pragma("temp_store", "MEMORY")
            .thread_name(|number| format!("gatelodge-sqlite-{number}"))
            .disable_statement_logging()
    }
}

fn create_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let missing: Vec<_> = folder
        .ancestors()
        .take_while(|part| !part.exists())
        .collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| unusable("create the folder", folder, error))?;
    for created in missing {
        sync_parent(created);
    }
    Ok(())
}

/// Makes a new entry of a folder survive a loss of power, as far as the
/// platform offers that; SQLite does the same for its own files.
fn sync_parent(entry: &Path) {
    #[cfg(unix)]
    if let Some(folder) = entry.parent() {
        let _as_far_as_possible = File::open(folder).and_then(|folder| folder.sync_all());
    }
    #[cfg(not(unix))]
    let _ = entry;
}

fn create_file(path: &Path) -> Result<()> {
    if let Ok(metadata) = fs::metadata(path) {
        if metadata.is_file() {
            return Ok(());
        }
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("`{}` is not a file", path.display()),
        ));
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => {
            sync_parent(path);
            Ok(())
        }
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(unusable("create the database", path, error)),
    }
}

/// An empty file is a new database; anything else must look like SQLite's.
fn check_magic(path: &Path) -> Result<()> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(16).read_to_end(&mut start))
        .map_err(|error| unusable("read the database", path, error))?;
    if start.is_empty() || start == MAGIC {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Corrupt,
        format!("`{}` is not a SQLite database", path.display()),
    ))
}

fn unusable(what: &str, path: &Path, error: io::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("cannot {what} `{}`: {error}", path.display()),
    )
    .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_one_file() {
        for (url, path) in [
            ("sqlite:data/x.db", "data/x.db"),
            ("sqlite:/var/x.db", "/var/x.db"),
            ("sqlite:///var/x.db", "/var/x.db"),
        ] {
            assert_eq!(SqliteConfig::from_url(url).unwrap().path, Path::new(path));
        }
        for url in [
            "",
            "x.db",
            "sqlite:",
            "sqlite://x.db",
            "sqlite::memory:",
            "sqlite:x.db?mode=ro",
        ] {
            let error = SqliteConfig::from_url(url).unwrap_err();
            assert_eq!(error.field(), Some("url"), "{url}");
        }
    }

    #[test]
    fn unknown_keys_are_refused_and_defaults_filled_in() {
        let read = |json: &str| serde_json::from_str::<SqliteConfig>(json);
        assert_eq!(
            read(r#"{"url":"sqlite:x.db"}"#).unwrap(),
            SqliteConfig::at("x.db")
        );
        let error = read(r#"{"url":"sqlite:x.db","max_reader":1}"#).unwrap_err();
        assert!(error.to_string().contains("max_reader"), "{error}");
        let error = read(r#"{"url":"postgres://x"}"#).unwrap_err();
        assert!(
            error.to_string().contains("does not start with `sqlite:`"),
            "{error}"
        );
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        let mut config = SqliteConfig::at("x.db");
        config.max_readers = 0;
        assert_eq!(config.check().unwrap_err().field(), Some("max_readers"));
    }
}
