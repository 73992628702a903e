//! The behaviour suite, and what only this backend has to show.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "suite/faults.rs"]
mod faults;
#[path = "suite/feed.rs"]
mod feed;
#[path = "suite/isolation.rs"]
mod isolation;
#[path = "suite/opening.rs"]
mod opening;
#[path = "suite/place.rs"]
mod place;
#[path = "suite/pooler.rs"]
mod pooler;
#[path = "suite/values.rs"]
mod values;

mod behaviour {
    use std::sync::Arc;

    use gatelodge_storage_suite::{Harness, storage_suite};

    use crate::place::Place;

    async fn empty() -> Harness {
        let place = Place::new();
        let storage = place.open().await;
        Harness::keeping(Arc::new(storage), place)
    }

    storage_suite!(empty);
}
