use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
};

use age::{DecryptError, Decryptor};
use async_trait::async_trait;
use flate2::bufread::GzDecoder;
use gatelodge_core::{
    Error, Result,
    archive::{BackupBytes, BackupFile},
};
use tokio::sync::mpsc;

use super::{Identities, about, cannot};

/// So many bytes are handed over at once.
const PIECE: usize = 128 * 1024;
/// So many pieces wait at most.
const WAITING: usize = 4;
/// How an age file begins.
const AGE: &[u8] = b"age-encryption.org/";
/// How an age file begins that was made fit for mail.
const ARMOURED: &[u8] = b"-----BEGIN AGE";
/// How a gzip file begins (RFC 1952, 2.3.1).
const GZIP: &[u8] = &[0x1f, 0x8b];

/// A file that should be a backup. It is read on a thread of its own.
#[derive(Debug, Clone)]
pub(crate) struct BackupOnDisk {
    path: PathBuf,
    identities: Option<Identities>,
}

impl BackupOnDisk {
    pub(crate) fn new(path: &Path, identities: Option<Identities>) -> Self {
        Self {
            path: path.to_owned(),
            identities,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[async_trait]
impl BackupFile for BackupOnDisk {
    async fn open(&self) -> Result<Box<dyn BackupBytes>> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let file = self.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = file.read(&sender) {
                // Nobody may be reading any more.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Ok(Box::new(Bytes(receiver)))
    }
}

struct Bytes(mpsc::Receiver<Result<Vec<u8>>>);

#[async_trait]
impl BackupBytes for Bytes {
    async fn more(&mut self) -> Result<Vec<u8>> {
        let piece = self.0.recv().await;
        piece.unwrap_or_else(|| Err(Error::internal("reading a backup broke off")))
    }
}

impl BackupOnDisk {
    /// Sends all that is in it, and at the end an empty piece.
    fn read(&self, sender: &mpsc::Sender<Result<Vec<u8>>>) -> Result<()> {
        let mut gzip = GzDecoder::new(self.opened()?);
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let read = (&mut gzip).take(PIECE as u64).read_to_end(&mut piece);
            read.map_err(|error| self.broken(&error))?;
            let is_end = piece.is_empty();
            if is_end {
                self.check_end(gzip.get_mut())?;
            }
            if sender.blocking_send(Ok(piece)).is_err() || is_end {
                return Ok(());
            }
        }
    }

    /// The compressed bytes.
    fn opened(&self) -> Result<Box<dyn BufRead>> {
        let failed = cannot("read", &self.path);
        let file = File::open(&self.path).map_err(&failed)?;
        if file.metadata().map_err(&failed)?.is_dir() {
            return Err(self.refused("is a folder, and no backup"));
        }
        let mut file = BufReader::with_capacity(PIECE, file);
        let start = file.fill_buf().map_err(&failed)?;
        if start.is_empty() {
            return Err(self.refused("is empty"));
        }
        if start.starts_with(GZIP) {
            return Ok(Box::new(file));
        }
        if start.starts_with(ARMOURED) {
            return Err(self
                .refused("is an age file made fit for mail; take that away with `age -d` first"));
        }
        if !start.starts_with(AGE) {
            return Err(self.refused("is no backup of Gatelodge"));
        }
        let mut opened = BufReader::with_capacity(PIECE, self.decrypted(file)?);
        let start = opened.fill_buf().map_err(|error| self.broken(&error))?;
        if !start.starts_with(GZIP) {
            return Err(
                self.refused("is an age file of something else, and no backup of Gatelodge")
            );
        }
        Ok(Box::new(opened))
    }

    fn decrypted(&self, file: BufReader<File>) -> Result<impl io::Read + use<>> {
        let Some(identities) = &self.identities else {
            return Err(self.refused("is encrypted; name the file of an age identity that opens it with `--identity FILE`"));
        };
        let decryptor = Decryptor::new_buffered(file).map_err(|error| self.unopened(&error))?;
        let identities = identities.all.iter().map(|one| one as &dyn age::Identity);
        decryptor
            .decrypt(identities)
            .map_err(|error| self.unopened(&error))
    }

    fn unopened(&self, error: &DecryptError) -> Error {
        match error {
            DecryptError::NoMatchingKeys => self.refused(
                "is encrypted for somebody else: no identity in the file of `--identity` opens it",
            ),
            DecryptError::Io(error) => self.broken(error),
            _ => self.refused("is no complete and unchanged age file"),
        }
    }

    fn broken(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.refused("is cut off"),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                self.refused("was changed or damaged")
            }
            _ => about(&self.path, format_args!("cannot be read: {error}")),
        }
    }

    /// Nothing may come after the end.
    fn check_end(&self, rest: &mut dyn BufRead) -> Result<()> {
        let rest = rest.fill_buf().map_err(|error| self.broken(&error))?;
        if rest.is_empty() {
            return Ok(());
        }
        Err(self.refused("has something after its end"))
    }

    fn refused(&self, why: &str) -> Error {
        about(&self.path, why)
    }
}
