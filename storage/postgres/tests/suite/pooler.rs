//! Through pgbouncer, which hands connections to the server out per transaction.

use std::sync::Arc;

use gatelodge_core::{
    ErrorKind,
    model::{NameKey, Tenant},
    storage::{FeedEvent, Mode, Page, Scope, Storage},
};
use gatelodge_postgres::{PoolMode, Pooler};
use gatelodge_storage_postgres::{PostgresConfig, PostgresStorage};
use gatelodge_storage_suite::{Harness, fixtures::Fixtures};

use crate::{
    feed::{announce, change, news},
    place::{Place, cancelled_after, eventually, put},
};

fn pooled(place: &Place) -> (Pooler, PostgresConfig) {
    let pooler = Pooler::start(&place.0.url(), PoolMode::Transaction);
    let mut config = PostgresConfig::at(pooler.url());
    config.prepared_statements = false;
    (pooler, config)
}

async fn empty() -> Harness {
    let place = Place::new();
    let (pooler, config) = pooled(&place);
    // Migrated through it, too.
    let storage = PostgresStorage::open(config).await.unwrap();
    Harness::keeping(Arc::new(storage), (pooler, place))
}

/// The part of the suite that a pooler could break: one named test for each case.
macro_rules! through_a_pooler {
    ($($module:ident { $($case:ident)+ })+) => {$(
        mod $module {$(
            #[test]
            fn $case() {
                let name = concat!(stringify!($module), "::", stringify!($case));
                gatelodge_storage_suite::hidden::run(name, super::empty);
            }
        )+}
    )+};
}

through_a_pooler! {
    units {
        a_unit_dropped_at_any_await_point_leaves_all_or_nothing
        a_cancelled_wait_for_a_unit_holds_nobody_up
        a_failed_statement_leaves_nothing_of_a_dropped_unit
        a_unit_with_a_failed_statement_cannot_be_committed
        a_read_unit_refuses_every_write
        a_read_unit_reads_everything
        a_read_unit_sees_one_consistent_state
        every_write_is_seen_by_others_once_it_is_committed
    }
    isolation {
        every_tenant_method_works_once_its_tenant_was_entered
        a_unit_that_entered_a_tenant_reaches_that_one_only
        no_write_in_a_tenant_changes_another
        another_tenants_users_are_not_there
    }
    races {
        one_of_many_users_gets_the_name
        a_record_is_used_up_by_one_of_many
        a_flow_takes_one_of_many_steps
        every_try_is_counted
        a_users_anchor_keeps_a_limit_on_sessions
        a_tenants_anchor_keeps_the_last_administrator
    }
    changes {
        all_changes_of_many_units_are_delivered
        a_quiet_feed_keeps_confirming
    }
}

/// How many sessions of the server are in a transaction.
fn open_transactions(place: &Place) -> String {
    place.0.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'")
}

#[tokio::test]
async fn no_statement_stays_prepared_and_no_transaction_open() {
    let place = Place::new();
    let (pooler, config) = pooled(&place);
    let storage = PostgresStorage::open(config).await.unwrap();
    for round in 0..10 {
        put(&storage, &round.to_string()).await.unwrap();
    }
    eventually(|| open_transactions(&place) == "0").await;
    // Asked in whichever of the server's sessions has a turn.
    for _ in 0..5 {
        let left = gatelodge_postgres::run_sql(
            &pooler.url(),
            "SELECT count(*) FROM pg_prepared_statements",
        );
        assert_eq!(left.unwrap(), "0");
    }
}

#[tokio::test]
async fn prepared_statements_behind_a_pooler_are_named_as_the_cause() {
    let place = Place::new();
    let (_pooler, mut config) = pooled(&place);
    config.prepared_statements = true;
    let storage = Arc::new(PostgresStorage::open(config).await.unwrap());
    for round in 0..20 {
        let puts: Vec<_> = (0..8)
            .map(|task| {
                let storage = storage.clone();
                tokio::spawn(async move { put(storage.as_ref(), &format!("{round} {task}")).await })
            })
            .collect();
        for put in puts {
            let Err(error) = put.await.unwrap() else {
                continue;
            };
            assert_eq!(error.kind(), ErrorKind::Internal);
            assert!(
                error.message().contains("prepared_statements = false"),
                "{error:?}"
            );
            return;
        }
    }
    panic!("some statement is looked for where it was not prepared");
}

/// Two tenants with a user of their own each.
async fn two_tenants(storage: &PostgresStorage) -> [Tenant; 2] {
    let make = Fixtures::seeded(1);
    let tenants = [make.tenant("one"), make.tenant("other")];
    for tenant in &tenants {
        let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
        unit.tenants().create(tenant).await.unwrap();
        unit.enter(tenant.id).await.unwrap();
        let user = make.user(tenant.name.as_str());
        unit.users().create(&user).await.unwrap();
        unit.commit().await.unwrap();
    }
    tenants
}

/// Looks at a tenant and expects its user and nobody else's.
async fn look(storage: &PostgresStorage, tenant: &Tenant, mode: Mode) {
    let mut unit = storage.begin(Scope::Tenant(tenant.id), mode).await.unwrap();
    let users = unit.users().list(None, Page::first(9)).await.unwrap();
    assert_eq!(users.len(), 1);
    assert_eq!(users[0].user_name.as_str(), tenant.name.as_str());
    let own = NameKey::of(tenant.name.as_str());
    assert!(unit.users().by_login(&own).await.unwrap().is_some());
    unit.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_share_a_connection_never_see_each_others_tenant() {
    let place = Place::new();
    let (_pooler, mut config) = pooled(&place);
    // Fewer than there are tasks: who begins has mostly no need to log in first.
    config.max_connections = 4;
    let storage = Arc::new(PostgresStorage::open(config).await.unwrap());
    let tenants = Arc::new(two_tenants(&storage).await);
    let tasks: Vec<_> = (0..12)
        .map(|task: usize| {
            let (storage, tenants) = (storage.clone(), tenants.clone());
            tokio::spawn(async move {
                for round in 0..20 {
                    let mode = if round % 3 == 0 {
                        Mode::Write
                    } else {
                        Mode::Read
                    };
                    let tenant = &tenants[(task + round) % 2];
                    // Cut short at another await each time; every fourth runs to its end.
                    let polls = if round % 4 == 3 {
                        usize::MAX
                    } else {
                        (task * 7 + round * 5) % 11 + 1
                    };
                    cancelled_after(polls, look(&storage, tenant, mode)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    look(&storage, &tenants[0], Mode::Read).await;
    eventually(|| open_transactions(&place) == "0").await;
}

#[tokio::test]
async fn changes_are_followed_past_the_pooler_when_an_address_says_so() {
    let place = Place::new();
    let (_pooler, mut config) = pooled(&place);
    let listener = place.0.login("listener", "hears", "SUPERUSER");
    config.direct_url = Some(place.0.url_as(&listener, "hears"));
    let storage = PostgresStorage::open(config).await.unwrap();
    let listening = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{listener}'");
    assert_eq!(place.0.sql(&listening), "1");
    let mut feed = storage.changes().await.unwrap();
    announce(&storage, 1).await;
    assert_eq!(news(&mut feed).await, FeedEvent::Changes(vec![change(1)]));
}
