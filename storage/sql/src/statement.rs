//! A statement with its values, before any driver sees it.

use std::borrow::Cow;

use gatelodge_core::{model::NameKey, secret::TokenHash};
use jiff::Timestamp;
use uuid::Uuid;

/// A value of a statement. What may be absent says of which type it would be.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// An id.
    Uuid(Option<Uuid>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
    /// A text; it may hold NUL, which no Postgres text does.
    Text(Option<String>),
    /// A whole number.
    Integer(Option<i64>),
    /// Yes or no.
    Flag(bool),
    /// A time in whole milliseconds.
    Time(Option<Timestamp>),
    /// A JSON document.
    Json(String),
}

macro_rules! values {
    ($($from:ty => |$value:ident| $into:expr),+ $(,)?) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $into
            }
        }
    )+};
}

values! {
    Uuid => |value| Self::Uuid(Some(value)),
    Option<Uuid> => |value| Self::Uuid(value),
    TokenHash => |value| Self::Bytes(Some(value.as_bytes().to_vec())),
    Option<TokenHash> => |value| Self::Bytes(value.map(|hash| hash.as_bytes().to_vec())),
    &[u8] => |value| Self::Bytes(Some(value.to_vec())),
    &str => |value| Self::Text(Some(value.to_owned())),
    Option<&str> => |value| Self::Text(value.map(str::to_owned)),
    &NameKey => |value| Self::Text(Some(value.as_str().to_owned())),
    i64 => |value| Self::Integer(Some(value)),
    u32 => |value| Self::Integer(Some(i64::from(value))),
    bool => |value| Self::Flag(value),
    Timestamp => |value| Self::Time(Some(value)),
    Option<Timestamp> => |value| Self::Time(value),
}

/// A statement; its values are written `$1`, `$2` and so on.
#[derive(Clone)]
pub struct Statement {
    text: Cow<'static, str>,
    values: Vec<Value>,
}

impl Statement {
    /// A statement without values yet.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            text: text.into(),
            values: Vec::new(),
        }
    }

    /// Binds the next value.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Binds the next values.
    #[must_use]
    pub fn bind_all(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        self.values.extend(values);
        self
    }

    /// Adds to the text.
    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// Adds a value, and its place to the text.
    pub fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let place = format!("${}", self.values.len());
        self.push(&place)
    }

    /// The text and the values.
    pub fn into_parts(self) -> (Cow<'static, str>, Vec<Value>) {
        (self.text, self.values)
    }

    /// Whether it only reads.
    pub fn reads(&self) -> bool {
        self.text.starts_with("SELECT")
    }

    /// Whether a text among the values holds NUL.
    pub fn holds_nul(&self) -> bool {
        self.values
            .iter()
            .any(|value| matches!(value, Value::Text(Some(text)) if text.contains('\0')))
    }
}

/// A table and its columns: what statements that write whole rows are made from.
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// The columns that identify a row; the first ones in `columns`.
    pub(crate) key: &'static str,
    /// All columns.
    pub(crate) columns: &'static [&'static str],
}

impl Table {
    /// Adds one row.
    pub(crate) fn insert(&self, values: Vec<Value>) -> Statement {
        self.insert_all(vec![values])
    }

    /// Adds rows.
    pub(crate) fn insert_all(&self, rows: Vec<Vec<Value>>) -> Statement {
        let mut statement = Statement::new(format!(
            "INSERT INTO {} ({}) VALUES ",
            self.name,
            self.columns.join(", ")
        ));
        for (number, row) in rows.into_iter().enumerate() {
            statement.push(if number == 0 { "(" } else { ", (" });
            for (number, value) in row.into_iter().enumerate() {
                if number > 0 {
                    statement.push(", ");
                }
                statement.push_bind(value);
            }
            statement.push(")");
        }
        statement
    }

    /// Adds rows, or replaces those that have their keys.
    pub(crate) fn put_all(&self, rows: Vec<Vec<Value>>) -> Statement {
        let replaced: Vec<_> = self
            .columns
            .iter()
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        let mut statement = self.insert_all(rows);
        statement.push(&format!(
            " ON CONFLICT ({}) DO UPDATE SET {}",
            self.key,
            replaced.join(", ")
        ));
        statement
    }

    /// Adds rows, and leaves those that have their keys as they are.
    pub(crate) fn keep_all(&self, rows: Vec<Vec<Value>>) -> Statement {
        let mut statement = self.insert_all(rows);
        statement.push(" ON CONFLICT DO NOTHING");
        statement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_across_rows() {
        let table = Table {
            name: "t",
            key: "a",
            columns: &["a", "b"],
        };
        let row = |a: i64| vec![Value::from(a), Value::from(true)];
        let (text, values) = table.put_all(vec![row(1), row(2)]).into_parts();
        assert_eq!(
            text,
            "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) \
             ON CONFLICT (a) DO UPDATE SET a = excluded.a, b = excluded.b"
        );
        assert_eq!(values.len(), 4);
    }

    #[test]
    fn a_nul_is_seen_in_texts_only() {
        assert!(Statement::new("").bind("a\0").holds_nul());
        assert!(!Statement::new("").bind(b"a\0".as_slice()).holds_nul());
    }
}
