//! Messages to be sent: claims, versions, expiry.

use gatelodge_core::{
    ErrorKind,
    model::{MessageId, Tenant, User},
    provider::MessageChannel,
    storage::{Mode, OutboxEntry, Row, RowKind, Scope},
};
use jiff::Timestamp;

use crate::{
    rows::{put, rows},
    world::World,
};

/// A tenant and a user in it, both stored.
async fn somebody(w: &World, tenant: &str) -> (Tenant, User) {
    let tenant = w.tenant(tenant).await;
    let user = w.make.user("ada");
    w.write(&tenant, async |u| u.users().create(&user).await)
        .await;
    (tenant, user)
}

async fn add(w: &World, entry: &OutboxEntry) {
    w.write(entry.tenant, async |u| u.outbox().add(entry).await)
        .await;
}

/// Claims until a minute after the clock's time.
async fn claim(w: &World, now: Timestamp, limit: u32) -> Vec<OutboxEntry> {
    let until = w.make.at(60_000);
    w.write(Scope::Platform, async |u| {
        u.outbox().claim(now, until, limit).await
    })
    .await
}

fn ids(entries: &[OutboxEntry]) -> Vec<MessageId> {
    entries.iter().map(|entry| entry.id).collect()
}

/// All messages of a tenant, sorted by id.
async fn stored(w: &World, tenant: &Tenant) -> Vec<OutboxEntry> {
    let rows = rows(w, tenant, RowKind::Message).await;
    let entries = rows.into_iter().filter_map(|row| match row {
        Row::Message(entry) => Some(entry),
        _ => None,
    });
    entries.collect()
}

pub(crate) async fn a_message_is_claimed_as_it_was_added(w: World) {
    let (acme, ada) = somebody(&w, "acme").await;
    let messages = [
        w.make.message(&acme, &ada),
        OutboxEntry {
            channel: MessageChannel::Sms,
            made_at: w.make.at(-7),
            due_at: w.make.at(-3),
            expires_at: w.make.at(1),
            tries: 3,
            version: 9,
            sealed: (0..=255).cycle().take(64 * 1024).collect(),
            ..w.make.message(&acme, &ada)
        },
        OutboxEntry {
            sealed: Vec::new(),
            ..w.make.message(&acme, &ada)
        },
    ];
    for message in messages {
        add(&w, &message).await;
        let expected = OutboxEntry {
            due_at: w.make.at(60_000),
            tries: message.tries + 1,
            version: message.version + 1,
            ..message
        };
        let claimed = claim(&w, w.make.now(), 9).await;
        assert!(claimed == [expected.clone()], "the answer is all of it");
        let stored = stored(&w, &acme).await;
        assert!(stored.contains(&expected), "the claim is stored");
    }
}

pub(crate) async fn a_message_that_was_put_is_claimed(w: World) {
    let (acme, ada) = somebody(&w, "acme").await;
    let message = OutboxEntry {
        version: 9,
        ..w.make.message(&acme, &ada)
    };
    put(&w, &acme, &[Row::Message(message.clone())]).await;
    let claimed = claim(&w, w.make.now(), 9).await;
    assert_eq!(ids(&claimed), [message.id]);
    assert_eq!(claimed[0].version, 10);
}

pub(crate) async fn messages_of_all_tenants_are_claimed_sorted(w: World) {
    let mut expected = Vec::new();
    for name in ["acme", "other"] {
        let (tenant, user) = somebody(&w, name).await;
        for _ in 0..3 {
            let message = w.make.message(&tenant, &user);
            add(&w, &message).await;
            expected.push((tenant.id, message.id));
        }
    }
    expected.sort_unstable();
    let claimed = claim(&w, w.make.now(), 9).await;
    let claimed: Vec<_> = claimed.iter().map(|e| (e.tenant, e.id)).collect();
    assert_eq!(claimed, expected);
}

pub(crate) async fn a_message_is_claimed_from_the_moment_it_is_due(w: World) {
    let (acme, ada) = somebody(&w, "acme").await;
    let message = OutboxEntry {
        due_at: w.make.at(10),
        ..w.make.message(&acme, &ada)
    };
    add(&w, &message).await;
    assert_eq!(ids(&claim(&w, w.make.at(9), 9).await), []);
    assert_eq!(ids(&claim(&w, w.make.at(10), 9).await), [message.id]);
}

pub(crate) async fn a_message_that_has_expired_is_not_claimed(w: World) {
    let (acme, ada) = somebody(&w, "acme").await;
    let message = OutboxEntry {
        expires_at: w.make.at(10),
        ..w.make.message(&acme, &ada)
    };
    add(&w, &message).await;
    assert_eq!(ids(&claim(&w, w.make.at(10), 9).await), []);
    assert_eq!(ids(&claim(&w, w.make.at(9), 9).await), [message.id]);
}

pub(crate) async fn a_claimed_message_is_due_again_when_its_claim_ends(w: World) {
    let (acme, ada) = somebody(&w, "acme").await;
    let message = w.make.message(&acme, &ada);
    add(&w, &message).await;
    assert_eq!(ids(&claim(&w, w.make.now(), 9).await), [message.id]);
    assert_eq!(ids(&claim(&w, w.make.at(59_999), 9).await), []);
    let again = claim(&w, w.make.at(60_000), 9).await;
    assert_eq!(ids(&again), [message.id]);
    assert_eq!((again[0].tries, again[0].version), (2, 3));
}

pub(crate) async fn those_due_for_longest_are_claimed_first_and_no_more_than_asked(w: World) {
    let (acme, ada) = somebody(&w, "acme").await;
    // Due in the opposite order of their ids.
    let mut messages = Vec::new();
    for number in 0..5 {
        let message = OutboxEntry {
            due_at: w.make.at(-number),
            ..w.make.message(&acme, &ada)
        };
        add(&w, &message).await;
        messages.push(message);
    }
    let due: Vec<_> = messages.iter().rev().map(|message| message.id).collect();
    assert_eq!(ids(&claim(&w, w.make.now(), 0).await), []);
    for expected in due.chunks(2) {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(ids(&claim(&w, w.make.now(), 2).await), expected);
    }
}

pub(crate) async fn a_rolled_back_message_is_never_claimed(w: World) {
    let (acme, ada) = somebody(&w, "acme").await;
    let message = w.make.message(&acme, &ada);
    for is_dropped in [false, true] {
        let mut unit = w.begin(&acme, Mode::Write).await;
        unit.outbox().add(&message).await.unwrap();
        if is_dropped {
            drop(unit);
        } else {
            unit.rollback().await.unwrap();
        }
        assert_eq!(ids(&claim(&w, w.make.now(), 9).await), []);
    }
    // A claim that is rolled back is none either.
    add(&w, &message).await;
    let mut unit = w.begin(Scope::Platform, Mode::Write).await;
    let claimed = unit
        .outbox()
        .claim(w.make.now(), w.make.at(9), 9)
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1);
    unit.rollback().await.unwrap();
    assert!(stored(&w, &acme).await == [message]);
}

pub(crate) async fn a_message_to_an_unknown_user_is_not_found(w: World) {
    let (acme, _) = somebody(&w, "acme").await;
    let message = w.make.message(&acme, &w.make.user("ghost"));
    let kind = w
        .refusal(&acme, async |u| u.outbox().add(&message).await)
        .await;
    assert_eq!(kind, ErrorKind::NotFound);
}

pub(crate) async fn a_taken_message_id_is_refused(w: World) {
    let (acme, ada) = somebody(&w, "acme").await;
    let message = w.make.message(&acme, &ada);
    add(&w, &message).await;
    let again = OutboxEntry {
        sealed: vec![1],
        ..message.clone()
    };
    let kind = w
        .refusal(&acme, async |u| u.outbox().add(&again).await)
        .await;
    assert_eq!(kind, ErrorKind::AlreadyExists);
    assert!(stored(&w, &acme).await == [message]);
}

pub(crate) async fn a_postponed_message_changes_nothing_but_its_time(w: World) {
    let (acme, ada) = somebody(&w, "acme").await;
    let message = w.make.message(&acme, &ada);
    add(&w, &message).await;
    let changed = OutboxEntry {
        channel: MessageChannel::Sms,
        made_at: w.make.at(5),
        due_at: w.make.at(7),
        expires_at: w.make.at(9),
        tries: 77,
        sealed: vec![1],
        ..message.clone()
    };
    let expected = OutboxEntry {
        due_at: w.make.at(7),
        version: 2,
        ..message
    };
    let answer = w
        .write(Scope::Platform, async |u| {
            u.outbox().postpone(&changed).await
        })
        .await;
    assert!(answer == expected, "the answer is what is stored");
    assert!(stored(&w, &acme).await == [expected]);
}

pub(crate) async fn a_stale_message_is_neither_postponed_nor_settled(w: World) {
    let (acme, ada) = somebody(&w, "acme").await;
    let message = w.make.message(&acme, &ada);
    add(&w, &message).await;
    let claimed = claim(&w, w.make.now(), 9).await;
    for version in [0, 1, 3] {
        let stale = OutboxEntry {
            version,
            ..claimed[0].clone()
        };
        let kinds = [
            w.refusal(Scope::Platform, async |u| u.outbox().postpone(&stale).await)
                .await,
            w.refusal(Scope::Platform, async |u| {
                u.outbox().settle(acme.id, message.id, version).await
            })
            .await,
        ];
        assert_eq!(kinds, [ErrorKind::Conflict; 2], "version {version}");
    }
    assert!(stored(&w, &acme).await == claimed, "nothing is lost");
}

pub(crate) async fn a_message_is_settled_once(w: World) {
    let (acme, ada) = somebody(&w, "acme").await;
    let (other, _) = somebody(&w, "other").await;
    let message = w.make.message(&acme, &ada);
    add(&w, &message).await;
    let settle = async |tenant: &Tenant| {
        w.attempt(Scope::Platform, Mode::Write, async |u| {
            u.outbox().settle(tenant.id, message.id, 1).await
        })
        .await
    };
    let kind = settle(&other).await.unwrap_err().kind();
    assert_eq!(kind, ErrorKind::NotFound, "of another tenant");
    settle(&acme).await.unwrap();
    assert!(stored(&w, &acme).await.is_empty());
    let kind = settle(&acme).await.unwrap_err().kind();
    assert_eq!(kind, ErrorKind::NotFound);
    let kind = w
        .refusal(Scope::Platform, async |u| {
            u.outbox().postpone(&message).await
        })
        .await;
    assert_eq!(kind, ErrorKind::NotFound);
}

pub(crate) async fn messages_are_removed_from_the_millisecond_after_their_end(w: World) {
    let (acme, ada) = somebody(&w, "acme").await;
    let messages = [-1, 0, 1].map(|millis| OutboxEntry {
        expires_at: w.make.at(millis),
        ..w.make.message(&acme, &ada)
    });
    for message in &messages {
        add(&w, message).await;
    }
    for (millis, message) in (0..).zip(messages) {
        let now = w.make.at(millis);
        let removed = w
            .write(Scope::Platform, async |u| {
                u.outbox().delete_expired(now, 9).await
            })
            .await;
        assert!(removed == [message], "at {millis} ms");
    }
    assert!(stored(&w, &acme).await.is_empty());
}

pub(crate) async fn expired_messages_are_removed_piece_by_piece(w: World) {
    let mut expected = Vec::new();
    for name in ["acme", "other"] {
        let (tenant, user) = somebody(&w, name).await;
        for _ in 0..3 {
            let message = OutboxEntry {
                expires_at: w.make.at(-1),
                ..w.make.message(&tenant, &user)
            };
            add(&w, &message).await;
            expected.push(message.id);
        }
        add(&w, &w.make.message(&tenant, &user)).await;
    }
    let mut removed = Vec::new();
    for limit in [0, 4, 4, u32::MAX] {
        let now = w.make.now();
        let piece = w
            .write(Scope::Platform, async |u| {
                u.outbox().delete_expired(now, limit).await
            })
            .await;
        let is_sorted = piece.is_sorted_by_key(|entry| (entry.tenant, entry.id));
        assert!(is_sorted, "a piece is sorted");
        removed.push(ids(&piece));
    }
    assert_eq!(
        removed.iter().map(Vec::len).collect::<Vec<_>>(),
        [0, 4, 2, 0]
    );
    let mut removed = removed.concat();
    removed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(removed, expected);
}

pub(crate) async fn messages_that_a_wrong_clock_made_are_removed(w: World) {
    let (acme, ada) = somebody(&w, "acme").await;
    let day = i64::try_from(OutboxEntry::AHEAD.as_millis()).unwrap();
    let messages = [day, day + 1].map(|millis| OutboxEntry {
        made_at: w.make.at(millis),
        due_at: w.make.at(millis),
        expires_at: w.make.at(millis + 60_000),
        ..w.make.message(&acme, &ada)
    });
    for message in &messages {
        add(&w, message).await;
    }
    let now = w.make.now();
    let removed = w
        .write(Scope::Platform, async |u| {
            u.outbox().delete_expired(now, 9).await
        })
        .await;
    let [kept, made_in_future] = messages;
    assert!(removed == [made_in_future]);
    assert!(stored(&w, &acme).await == [kept]);
}
