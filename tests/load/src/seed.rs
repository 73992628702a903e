//! Data in quantity, put there through the storage contract as a copy or a restore does it: rows as they are stored, in
//! big pieces, several tenants side by side.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use gatelodge_core::{
    Environment,
    environment::{SeededRandom, SystemClock},
    model::{NameKey, ProviderId, Tenant, User},
    secret::Token,
    storage::{Mode, Row, Scope, Storage},
};
use gatelodge_storage_suite::fixtures::Fixtures;

use crate::{progress::Progress, subject::HOME};

/// How much data there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Such as `small`.
    pub(crate) name: &'static str,
    pub(crate) tenants: usize,
    pub(crate) users_per_tenant: usize,
    /// Users of the tenant that is looked at, the same in every size, so that its pages are comparable.
    pub(crate) users_at_home: usize,
    /// Open sessions, of everybody.
    pub(crate) sessions: usize,
    /// How many sign-ins may wait for a thread that hashes; as out of the box if unset. A short run cannot fill that.
    pub(crate) queue: Option<usize>,
}

/// What was put there.
#[derive(Debug)]
pub(crate) struct Seeded {
    /// The tokens of the sessions.
    pub(crate) tokens: Vec<String>,
    /// In how many tenants.
    pub(crate) tenants: usize,
    /// How many users.
    pub(crate) users: usize,
}

/// Tenants in one unit of work.
const TENANTS_AT_A_TIME: usize = 250;
/// Units of work side by side. SQLite lets them share the fsync.
const SIDE_BY_SIDE: usize = 12;

/// Fills an installation that was set up.
pub(crate) async fn fill(storage: &Arc<dyn Storage>, size: Size, seed: u64) -> Seeded {
    let make = Maker::new(seed);
    let tenants: Vec<_> = (0..size.tenants)
        .map(|number| make.fixtures.tenant(&format!("tenant-{number}")))
        .collect();
    let users = size.tenants * size.users_per_tenant + size.users_at_home;
    let progress = Progress::new(&format!("{users} users"), users);
    let pieces = tenants.chunks(TENANTS_AT_A_TIME).map(|piece| {
        let rows: Vec<_> = piece.iter().cloned().map(Row::Tenant).collect();
        put(storage, Scope::Platform, vec![rows])
    });
    stream::iter(pieces)
        .buffer_unordered(SIDE_BY_SIDE)
        .collect::<Vec<()>>()
        .await;

    let home = home(storage).await;
    let filled = stream::iter(tenants.iter().chain([&home])).map(|tenant| {
        let (users, sessions) = match tenant.id == home.id {
            true => (size.users_at_home, 0),
            false => (size.users_per_tenant, size.sessions.div_ceil(size.tenants)),
        };
        let (rows, tokens) = make.rows(tenant, users, sessions);
        let progress = &progress;
        async move {
            put(storage, Scope::Tenant(tenant.id), rows).await;
            progress.advance(users);
            tokens
        }
    });
    let tokens: Vec<Vec<String>> = filled.buffer_unordered(SIDE_BY_SIDE).collect().await;
    Seeded {
        tokens: tokens.into_iter().flatten().collect(),
        tenants: size.tenants + 1,
        users,
    }
}

async fn put(storage: &Arc<dyn Storage>, scope: Scope, kinds: Vec<Vec<Row>>) {
    let mut unit = storage.begin(scope, Mode::Write).await.unwrap();
    for rows in kinds.iter().filter(|rows| !rows.is_empty()) {
        unit.archive().put(rows).await.unwrap();
    }
    unit.commit().await.unwrap();
}

/// The tenant that the set-up made.
async fn home(storage: &Arc<dyn Storage>) -> Tenant {
    let key = NameKey::of(HOME);
    let mut unit = storage.begin(Scope::Platform, Mode::Read).await.unwrap();
    let found = unit.tenants().by_name(&key).await.unwrap();
    unit.rollback().await.unwrap();
    found.expect("the tenant of the set-up is there")
}

/// Makes rows, the same for the same seed but for ids and times.
struct Maker {
    fixtures: Fixtures,
    tokens: Environment,
    password: ProviderId,
}

impl Maker {
    fn new(seed: u64) -> Self {
        let fixtures = Fixtures::seeded(seed);
        fixtures.clock().set(Environment::system().now());
        let tokens = SeededRandom::new(seed.wrapping_add(1));
        Self {
            tokens: Environment::new(Arc::new(SystemClock), tokens),
            password: ProviderId::new("password").unwrap(),
            fixtures,
        }
    }

    /// A tenant's users, each with what a provider keeps, and sessions of some, with their tokens.
    fn rows(&self, tenant: &Tenant, users: usize, sessions: usize) -> (Vec<Vec<Row>>, Vec<String>) {
        let users: Vec<User> = (0..users)
            .map(|number| self.fixtures.user(&format!("user-{number}")))
            .collect();
        let records = users.iter().map(|user| {
            let mut record = self.fixtures.record(&self.password, Some(user.id));
            // As long as a sealed hash. Nobody opens it.
            record.sealed = vec![7; 180];
            Row::Record(record)
        });
        let records: Vec<_> = records.collect();
        let mut tokens = Vec::new();
        let sessions = (0..sessions).filter_map(|number| {
            let user = users.get(number % users.len().max(1))?;
            let token = Token::generate(&self.tokens);
            let mut session = self.fixtures.session(tenant, user);
            session.token_hash = token.hash();
            session.idle_seconds = 24 * 60 * 60;
            tokens.push(token.expose().to_owned());
            Some(Row::Session(session))
        });
        let sessions: Vec<_> = sessions.collect();
        let users = users.into_iter().map(Row::User).collect();
        (vec![users, records, sessions], tokens)
    }
}
