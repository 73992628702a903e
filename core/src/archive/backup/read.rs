use async_trait::async_trait;

use super::{Contents, Entry, MAX_LINE, Parser, parse::refused};
use crate::Result;

/// A backup that can be read from its beginning as often as asked.
#[async_trait]
pub trait BackupFile: Send + Sync {
    /// Begins to read.
    async fn open(&self) -> Result<Box<dyn BackupBytes>>;
}

/// The bytes of a backup, one after another.
#[async_trait]
pub trait BackupBytes: Send {
    /// Some more bytes; none at the end.
    async fn more(&mut self) -> Result<Vec<u8>>;
}

#[async_trait]
impl BackupFile for Vec<u8> {
    async fn open(&self) -> Result<Box<dyn BackupBytes>> {
        Ok(Box::new(Whole(self.clone())))
    }
}

struct Whole(Vec<u8>);

#[async_trait]
impl BackupBytes for Whole {
    async fn more(&mut self) -> Result<Vec<u8>> {
        Ok(std::mem::take(&mut self.0))
    }
}

/// Reads a backup to its end, and tells what is in it.
///
/// # Errors
/// [`ErrorKind::Refused`](crate::ErrorKind::Refused), naming the line, when it is
/// not a complete, unchanged backup that this program can read.
pub async fn read_backup(file: &dyn BackupFile) -> Result<Contents> {
    let mut reader = BackupReader::open(file).await?;
    while reader.entry().await?.is_some() {}
    reader.contents()
}

/// Reads a backup line by line.
pub struct BackupReader {
    bytes: Box<dyn BackupBytes>,
    parser: Parser,
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where no line ends.
    searched: usize,
}

impl BackupReader {
    /// Begins to read.
    ///
    /// # Errors
    /// What the file says.
    pub async fn open(file: &dyn BackupFile) -> Result<Self> {
        Ok(Self {
            bytes: file.open().await?,
            parser: Parser::new(),
            buffer: Vec::new(),
            start: 0,
            searched: 0,
        })
    }

    /// The next line; `None` at the end of a complete backup.
    ///
    /// # Errors
    /// As [`read_backup`].
    pub async fn entry(&mut self) -> Result<Option<Entry>> {
        loop {
            let unread = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(length) = unread.iter().position(|byte| *byte == b'\n') {
                let end = self.searched + length;
                let line = self.buffer.get(self.start..end).unwrap_or_default();
                let entry = self.parser.line(line)?;
                self.start = end + 1;
                self.searched = self.start;
                return Ok(Some(entry));
            }
            self.searched = self.buffer.len();
            if self.searched - self.start > MAX_LINE {
                return Err(refused(self.parser.lines() + 1, "is too long"));
            }
            let more = self.bytes.more().await?;
            if more.is_empty() {
                self.parser.check_end(self.searched == self.start)?;
                return Ok(None);
            }
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
            self.buffer.extend(more);
        }
    }

    /// What was read.
    ///
    /// # Errors
    /// As [`read_backup`], when it was not read to its end.
    pub fn contents(self) -> Result<Contents> {
        self.parser.contents()
    }
}

impl std::fmt::Debug for BackupReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BackupReader")
    }
}
