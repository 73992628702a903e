#![doc = include_str!("../README.md")]

pub mod fixtures;
pub mod memory;

#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a case fails by panicking"
)]
mod cases;
#[doc(hidden)]
pub mod hidden;
mod list;
mod operations;
#[allow(clippy::expect_used, reason = "a case fails by panicking")]
mod rows;
#[allow(clippy::expect_used, reason = "a case fails by panicking")]
mod twins;
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a case fails by panicking"
)]
mod world;

use std::{any::Any, fmt, sync::Arc};

use gatelodge_core::storage::Storage;

/// A fresh, empty storage, and what must live as long as it does.
pub struct Harness {
    /// The storage.
    pub storage: Arc<dyn Storage>,
    /// Dropped after the storage is closed: a folder, a server.
    pub keep: Box<dyn Any + Send>,
}

impl Harness {
    /// A storage that needs nothing else.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self::keeping(storage, ())
    }

    /// A storage that needs `keep` to live.
    pub fn keeping(storage: Arc<dyn Storage>, keep: impl Any + Send) -> Self {
        Self {
            storage,
            keep: Box::new(keep),
        }
    }
}

impl fmt::Debug for Harness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Harness")
    }
}
