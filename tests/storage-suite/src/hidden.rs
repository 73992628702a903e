//! What the macro's expansion calls; no part of the library's interface.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a case fails by panicking"
)]

use std::time::Duration;

use crate::{
    Harness,
    cases::CASES,
    world::{Boxed, World},
};

/// A case never waits this long; one that does, hangs.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(World) -> Boxed<'static, ()>,
}

/// The names of all cases.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

/// Runs one case on a runtime of its own. It panics when the case fails.
pub fn run<F>(name: &str, factory: impl FnOnce() -> F)
where
    F: Future<Output = Harness>,
{
    let case = CASES.iter().find(|case| case.name == name);
    let case = case.unwrap_or_else(|| panic!("there is no case `{name}`"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the runtime starts");
    runtime.block_on(async {
        let harness = factory().await;
        let world = World::new(harness.storage.clone());
        tokio::time::timeout(PATIENCE, (case.run)(world))
            .await
            .expect("the case ends");
        tokio::time::timeout(PATIENCE, harness.storage.close())
            .await
            .expect("the storage closes");
        drop(harness);
    });
}
