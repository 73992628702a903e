//! What every case starts from, and short ways to work in units.

use std::{pin::Pin, sync::Arc, time::Duration};

use gatelodge_core::{
    ErrorKind, Result,
    model::{Tenant, TenantId},
    storage::{Mode, Page, Scope, Storage, UnitOfWork},
};
use tokio::sync::Barrier;

use crate::fixtures::Fixtures;

pub(crate) type Unit = dyn UnitOfWork;
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
pub(crate) type BoxedSend<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How long a case waits for what must come, before it fails: far longer than
/// any backend needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// An empty storage and the means to fill it.
pub(crate) struct World {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) make: Fixtures,
}

/// What can stand for a scope.
pub(crate) trait Place {
    fn scope(self) -> Scope;
}

impl Place for Scope {
    fn scope(self) -> Scope {
        self
    }
}

impl Place for TenantId {
    fn scope(self) -> Scope {
        Scope::Tenant(self)
    }
}

impl Place for &Tenant {
    fn scope(self) -> Scope {
        Scope::Tenant(self.id)
    }
}

impl World {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            make: Fixtures::seeded(1),
        }
    }

    pub(crate) async fn begin(&self, place: impl Place, mode: Mode) -> Box<Unit> {
        let unit = self.storage.begin(place.scope(), mode).await;
        unit.expect("a unit of work begins")
    }

    /// Does `work` in a unit of its own: commits it, or rolls it back on an error.
    pub(crate) async fn attempt<T>(
        &self,
        place: impl Place,
        mode: Mode,
        work: impl AsyncFnOnce(&mut Unit) -> Result<T>,
    ) -> Result<T> {
        let mut unit = self.begin(place, mode).await;
        let result = work(unit.as_mut()).await;
        match &result {
            Ok(_) => unit.commit().await?,
            Err(_) => unit.rollback().await.expect("a failed unit rolls back"),
        }
        result
    }

    /// Does and commits what must succeed.
    pub(crate) async fn write<T>(
        &self,
        place: impl Place,
        work: impl AsyncFnOnce(&mut Unit) -> Result<T>,
    ) -> T {
        let result = self.attempt(place, Mode::Write, work).await;
        result.expect("the write succeeds")
    }

    /// Reads.
    pub(crate) async fn read<T>(
        &self,
        place: impl Place,
        work: impl AsyncFnOnce(&mut Unit) -> Result<T>,
    ) -> T {
        let result = self.attempt(place, Mode::Read, work).await;
        result.expect("the read succeeds")
    }

    /// Does what must fail in a write unit, and answers how it failed.
    pub(crate) async fn refusal<T>(
        &self,
        place: impl Place,
        work: impl AsyncFnOnce(&mut Unit) -> Result<T>,
    ) -> ErrorKind {
        match self.attempt(place, Mode::Write, work).await {
            Ok(_) => panic!("what had to be refused succeeded"),
            Err(error) => error.kind(),
        }
    }

    /// A tenant that is already stored.
    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        self.stored(self.make.tenant(name)).await
    }

    /// A sub-tenant that is already stored.
    pub(crate) async fn sub_tenant(&self, name: &str, master: &Tenant) -> Tenant {
        self.stored(self.make.sub_tenant(name, master)).await
    }

    pub(crate) async fn stored(&self, tenant: Tenant) -> Tenant {
        self.write(Scope::Platform, async |u| u.tenants().create(&tenant).await)
            .await;
        tenant
    }

    /// Lets `count` units race that all start at once; answers how each went.
    pub(crate) async fn race<T: Send + 'static>(
        &self,
        place: impl Place,
        count: usize,
        work: impl for<'a> Fn(usize, &'a mut Unit) -> BoxedSend<'a, Result<T>> + Send + Sync + 'static,
    ) -> Vec<Result<T>> {
        let work = Arc::new(work);
        let scope = place.scope();
        let racers = (0..count).map(|racer| {
            let work = work.clone();
            self.racer(scope, move |unit| work(racer, unit))
        });
        start_together(racers.collect()).await
    }

    /// One participant of [`start_together`].
    pub(crate) fn racer<T: Send + 'static>(
        &self,
        scope: Scope,
        work: impl for<'a> FnOnce(&'a mut Unit) -> BoxedSend<'a, Result<T>> + Send + 'static,
    ) -> BoxedSend<'static, Result<T>> {
        let storage = self.storage.clone();
        Box::pin(async move {
            let mut unit = storage.begin(scope, Mode::Write).await?;
            let result = work(unit.as_mut()).await;
            match &result {
                Ok(_) => unit.commit().await?,
                Err(_) => unit.rollback().await?,
            }
            result
        })
    }
}

/// Lets two racers start together, now one and now the other first in line.
pub(crate) async fn start_both<T: Send + 'static>(
    round: usize,
    one: BoxedSend<'static, T>,
    other: BoxedSend<'static, T>,
) -> [T; 2] {
    let is_swapped = round % 2 == 1;
    let racers = if is_swapped {
        vec![other, one]
    } else {
        vec![one, other]
    };
    let mut results = start_together(racers).await;
    if is_swapped {
        results.reverse();
    }
    results
        .try_into()
        .unwrap_or_else(|_| panic!("two racers end"))
}

/// Runs all racers as tasks of their own that start at once; answers in their order.
pub(crate) async fn start_together<T: Send + 'static>(
    racers: Vec<BoxedSend<'static, T>>,
) -> Vec<T> {
    let barrier = Arc::new(Barrier::new(racers.len()));
    let tasks: Vec<_> = racers
        .into_iter()
        .map(|racer| {
            let barrier = barrier.clone();
            tokio::spawn(async move {
                barrier.wait().await;
                racer.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("a racing unit does not panic"));
    }
    results
}

/// Checks that exactly one racer won and every other failed in one of these ways.
pub(crate) fn assert_one_winner<T>(results: &[Result<T>], losing: &[ErrorKind]) {
    let winners = results.iter().filter(|result| result.is_ok()).count();
    let losers: Vec<_> = results
        .iter()
        .filter_map(|result| result.as_ref().err())
        .map(|error| error.kind())
        .collect();
    assert_eq!(
        winners, 1,
        "one of the racing units wins; the others: {losers:?}"
    );
    assert!(
        losers.iter().all(|kind| losing.contains(kind)),
        "the losing units fail with {losing:?}: {losers:?}"
    );
}

/// Reads a list page by page in pieces of several sizes, and checks that each
/// time the pieces make up the list that one great page gives. Answers that list.
pub(crate) async fn paged<Id: Copy, T: Clone + PartialEq + std::fmt::Debug>(
    id_of: impl Fn(&T) -> Id,
    fetch: impl AsyncFn(Page<Id>) -> Vec<T>,
) -> Vec<T> {
    let whole = fetch(Page::first(1_000)).await;
    assert!(whole.len() < 1_000, "the lists of the cases are short");
    assert_eq!(
        fetch(Page::first(0)).await,
        Vec::new(),
        "a page of no rows is empty"
    );
    for limit in [1, 2, 7] {
        let mut pieces = Vec::new();
        let mut page = Page::first(limit);
        loop {
            let piece = fetch(page).await;
            assert!(
                piece.len() <= limit as usize,
                "a page of {limit} rows has {}",
                piece.len()
            );
            let Some(last) = piece.last() else { break };
            page = Page::after(id_of(last), limit);
            pieces.extend(piece);
            assert!(
                pieces.len() <= whole.len(),
                "pages of {limit} repeat no row"
            );
        }
        assert_eq!(pieces, whole, "pages of {limit} make up the whole list");
    }
    whole
}
