//! What the tests start from: a platform on a storage in memory with scripted
//! providers, and browsers that sign in.

mod browser;
mod post;
mod storage;
mod world;

use std::time::Duration;

use gatelodge_core::{ErrorKind, Result, model::ProviderId};

pub(crate) use browser::{Browser, fields, refused, sign_in_at, views_equal};
pub(crate) use post::Post;
pub(crate) use storage::{Interlude, Watched};
pub(crate) use world::{Plan, World, client};

/// A word that is right for nobody.
pub(crate) const WRONG: &str = "wrong word";

/// How an operation failed.
pub(crate) fn kind<T>(result: Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("what had to fail succeeded"),
        Err(error) => error.kind(),
    }
}

pub(crate) fn provider(id: &str) -> ProviderId {
    ProviderId::new(id).unwrap()
}

pub(crate) fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);
