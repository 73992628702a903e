//! Values at the edges of what Postgres holds.

use std::time::Duration;

use gatelodge_core::{
    ErrorKind,
    environment::later,
    model::{AuditFilter, FieldChange, Session},
    storage::{Mode, Page, Scope, Storage},
};
use gatelodge_storage_suite::fixtures::Fixtures;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Connection as _, PgConnection};

use crate::place::Place;

/// The last whole millisecond that is a time.
const LAST: i64 = 253_402_207_200_000;

#[tokio::test]
async fn a_session_ends_in_sql_when_it_ends_in_the_model() {
    let place = Place::new();
    place.open().await.close().await;
    let make = Fixtures::seeded(1);
    let (tenant, user) = (make.tenant("acme"), make.user("ada"));
    let mut connection = PgConnection::connect(&place.0.url()).await.unwrap();
    let time = |millis| Timestamp::from_millisecond(millis).unwrap();
    let last = LAST;
    let times = [
        0,
        -62_135_596_800_000,
        951_782_400_123,
        1_793_588_645_678,
        last - 1,
        last,
    ]
    .map(time);
    let idle = [
        i64::MIN,
        -1,
        0,
        1,
        1_800,
        86_400 * 365 * 300,
        253_000_000_000,
        i64::MAX,
    ];
    for last_active_at in times {
        for expires_at in times {
            for idle_seconds in idle {
                let session = Session {
                    last_active_at,
                    expires_at,
                    idle_seconds,
                    ..make.session(&tenant, &user)
                };
                let found: jiff_sqlx::Timestamp =
                    sqlx::query_scalar("SELECT gatelodge.session_ends_at($1, $2, $3)")
                        .bind(last_active_at.to_sqlx())
                        .bind(idle_seconds)
                        .bind(expires_at.to_sqlx())
                        .fetch_one(&mut connection)
                        .await
                        .unwrap();
                let found = found.to_jiff().as_millisecond();
                assert_eq!(found, session.ends_at().as_millisecond(), "{session:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_time_that_postgres_cannot_hold_is_refused_and_the_last_one_is_kept() {
    let place = Place::new();
    let storage = place.open().await;
    let make = Fixtures::seeded(1);
    let last = Timestamp::from_millisecond(LAST).unwrap();
    for (expires_at, is_kept) in [
        (last, true),
        (later(make.now(), Duration::from_secs(1)), true),
        (Timestamp::MIN, false),
    ] {
        let mut flow = make.flow();
        flow.expires_at = expires_at;
        let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
        match unit.flows().create(&flow).await {
            Ok(()) => assert_eq!(
                unit.flows().by_handle(&flow.handle).await.unwrap(),
                Some(flow)
            ),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}"),
        }
        assert_eq!(unit.commit().await.is_ok(), is_kept);
    }
}

#[tokio::test]
async fn a_document_keeps_every_text_and_a_column_refuses_nul_in_words() {
    let place = Place::new();
    let storage = place.open().await;
    let make = Fixtures::seeded(1);
    let mut event = make.audit_event(None, "user.create");
    event.changes.push(FieldChange {
        field: "user_name".to_owned(),
        old: Some("a\0b\\u0000".to_owned()),
        new: Some("\u{1}\u{7f}\u{fffe}\u{10ffff} \"\\ 愛".to_owned()),
    });
    event.client.user_agent = Some("\0".to_owned());
    let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
    unit.audit().append(&event).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = storage.begin(Scope::Platform, Mode::Read).await.unwrap();
    let events = unit
        .audit()
        .list(&AuditFilter::default(), Page::first(9))
        .await
        .unwrap();
    assert_eq!(events, [event.clone()]);
    unit.rollback().await.unwrap();

    let mut refused = make.audit_event(None, "user.create");
    refused.reason = Some("a\0b".to_owned());
    let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
    let error = unit.audit().append(&refused).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("NUL"), "{error}");
}
