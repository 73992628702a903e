//! The storage in memory shows the behaviour it stands in for.

use std::sync::Arc;

use gatelodge_storage_suite::{Harness, memory::MemoryStorage, storage_suite};

mod with_a_change_feed {
    use super::*;

    async fn empty() -> Harness {
        Harness::new(Arc::new(MemoryStorage::new()))
    }

    storage_suite!(empty);
}

mod without_a_change_feed {
    use super::*;

    storage_suite!(async || Harness::new(Arc::new(MemoryStorage::without_change_feed())));
}

mod with_writers_side_by_side {
    use super::*;

    storage_suite!(async || Harness::new(Arc::new(MemoryStorage::side_by_side())));
}
