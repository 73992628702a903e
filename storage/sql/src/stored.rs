//! How stored values become the model's.

use gatelodge_core::{Error, ErrorKind, Result, model::Lock, secret::TokenHash};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// Why a stored value could not be taken out of its row.
pub type Wrong = Box<dyn std::error::Error + Send + Sync>;

/// How a value is taken out of a row of an answer, by its column.
pub trait Columns {
    /// An id.
    ///
    /// # Errors
    /// What the driver says.
    fn uuid(&self, column: &str) -> Result<Option<Uuid>, Wrong>;
    /// Bytes.
    ///
    /// # Errors
    /// As for [`Self::uuid`].
    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, Wrong>;
    /// A text.
    ///
    /// # Errors
    /// As for [`Self::uuid`].
    fn text(&self, column: &str) -> Result<Option<String>, Wrong>;
    /// A whole number.
    ///
    /// # Errors
    /// As for [`Self::uuid`].
    fn integer(&self, column: &str) -> Result<Option<i64>, Wrong>;
    /// Yes or no.
    ///
    /// # Errors
    /// As for [`Self::uuid`].
    fn flag(&self, column: &str) -> Result<Option<bool>, Wrong>;
    /// A time.
    ///
    /// # Errors
    /// As for [`Self::uuid`].
    fn time(&self, column: &str) -> Result<Option<Timestamp>, Wrong>;
    /// A JSON document, as text.
    ///
    /// # Errors
    /// As for [`Self::uuid`].
    fn json(&self, column: &str) -> Result<Option<String>, Wrong>;
}

/// A row of a table, read with suspicion: what does not fit is an error that
/// names the column.
pub(crate) struct Stored<'r, R> {
    row: &'r R,
    table: &'static str,
}

impl<'r, R: Columns> Stored<'r, R> {
    pub(crate) fn new(row: &'r R, table: &'static str) -> Self {
        Self { row, table }
    }

    /// A value that must be there.
    fn there<T>(&self, column: &'static str, value: Result<Option<T>, Wrong>) -> Result<T> {
        self.maybe(column, value)?
            .ok_or_else(|| self.wrong(column, "it is missing"))
    }

    fn maybe<T>(&self, column: &'static str, value: Result<Option<T>, Wrong>) -> Result<Option<T>> {
        value.map_err(|error| self.wrong(column, error))
    }

    pub(crate) fn uuid(&self, column: &'static str) -> Result<Uuid> {
        self.there(column, self.row.uuid(column))
    }

    pub(crate) fn optional_uuid(&self, column: &'static str) -> Result<Option<Uuid>> {
        self.maybe(column, self.row.uuid(column))
    }

    pub(crate) fn bytes(&self, column: &'static str) -> Result<Vec<u8>> {
        self.there(column, self.row.bytes(column))
    }

    pub(crate) fn text(&self, column: &'static str) -> Result<String> {
        self.there(column, self.row.text(column))
    }

    pub(crate) fn optional_text(&self, column: &'static str) -> Result<Option<String>> {
        self.maybe(column, self.row.text(column))
    }

    pub(crate) fn integer(&self, column: &'static str) -> Result<i64> {
        self.there(column, self.row.integer(column))
    }

    pub(crate) fn flag(&self, column: &'static str) -> Result<bool> {
        self.there(column, self.row.flag(column))
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp> {
        self.there(column, self.row.time(column))
    }

    pub(crate) fn optional_time(&self, column: &'static str) -> Result<Option<Timestamp>> {
        self.maybe(column, self.row.time(column))
    }

    pub(crate) fn hash(&self, column: &'static str) -> Result<TokenHash> {
        self.as_hash(column, self.bytes(column)?)
    }

    pub(crate) fn optional_hash(&self, column: &'static str) -> Result<Option<TokenHash>> {
        self.maybe(column, self.row.bytes(column))?
            .map(|bytes| self.as_hash(column, bytes))
            .transpose()
    }

    fn as_hash(&self, column: &'static str, bytes: Vec<u8>) -> Result<TokenHash> {
        let bytes =
            <[u8; 32]>::try_from(bytes).map_err(|_| self.wrong(column, "a hash has 32 bytes"))?;
        Ok(TokenHash::from_bytes(bytes))
    }

    /// A text that `parse` knows.
    pub(crate) fn word<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T> {
        parse(&self.text(column)?).ok_or_else(|| self.wrong(column, "an unknown word"))
    }

    pub(crate) fn optional_word<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        self.optional_text(column)?
            .map(|text| parse(&text).ok_or_else(|| self.wrong(column, "an unknown word")))
            .transpose()
    }

    /// A name, checked as it was when it was stored.
    pub(crate) fn name<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T>,
    ) -> Result<T> {
        parse(&self.text(column)?).map_err(|error| self.wrong(column, error))
    }

    pub(crate) fn optional_name<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T>,
    ) -> Result<Option<T>> {
        self.optional_text(column)?
            .map(|text| parse(&text).map_err(|error| self.wrong(column, error)))
            .transpose()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        let text = self.there(column, self.row.json(column))?;
        serde_json::from_str(&text).map_err(|error| self.wrong(column, error))
    }

    /// The lock of a tenant or user, spread over four columns.
    pub(crate) fn lock(&self) -> Result<Option<Lock>> {
        let Some(since) = self.optional_time("lock_since")? else {
            return Ok(None);
        };
        Ok(Some(Lock {
            reason: self.optional_text("lock_reason")?,
            until: self.optional_time("lock_until")?,
            since,
            cascade: self.flag("lock_cascade")?,
        }))
    }

    fn wrong(&self, column: &'static str, source: impl Into<Wrong>) -> Error {
        let message = format!("the stored value {}.{column} cannot be read", self.table);
        Error::new(ErrorKind::Corrupt, message).because(source)
    }
}

/// Reads every row with `read`.
pub(crate) fn all<R, T>(rows: &[R], read: impl Fn(&R) -> Result<T>) -> Result<Vec<T>> {
    rows.iter().map(read).collect()
}

/// Reads the row, if there is one.
pub(crate) fn one<R, T>(row: Option<&R>, read: impl Fn(&R) -> Result<T>) -> Result<Option<T>> {
    row.map(read).transpose()
}
