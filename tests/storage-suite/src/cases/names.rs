//! Names in all their letters and lengths, bytes and times.

use gatelodge_core::{
    ErrorKind,
    model::{
        AuditFilter, DisplayName, Email, EndReason, Lock, NameKey, Session, SessionEnd, Tenant,
        TenantName, User, UserName,
    },
    storage::{LimitState, OutboxEntry, Page, Record, Row, RowKind, Scope, StoredFlow},
};
use jiff::Timestamp;

use crate::{
    fixtures::{provider, time},
    rows::rows,
    world::World,
};

/// Written differently, the same name.
const SAME: [(&str, &str); 14] = [
    ("Ada", "aDA"),
    ("straße", "STRASSE"),
    ("ﬁn", "FIN"),
    ("e\u{301}t\u{e9}", "\u{c9}TE\u{301}"),
    ("Ｂｏｂ", "bob"),
    ("ΌΣΟΣ", "όσος"),
    ("\u{212b}ngström", "ångström"),
    ("Ⅷ", "viii"),
    ("\u{1112}\u{1161}\u{11ab}", "한"),
    ("ǅ", "Ǆ"),
    ("ЖУК", "жук"),
    ("ｶﾞ", "ガ"),
    ("x²", "X2"),
    ("𐐀", "𐐨"),
];

/// Written alike, different names.
const DIFFERENT: [(&str, &str); 9] = [
    ("jose", "josé"),
    ("i", "ı"),
    ("o", "ø"),
    ("a", "\u{430}"),
    ("日本", "日木"),
    ("ab", "a b"),
    ("n", "ñ"),
    ("a_b", "axb"),
    ("ss", "s"),
];

pub(crate) async fn user_names_written_differently_are_one(w: World) {
    for (at, (one, other)) in SAME.into_iter().enumerate() {
        let acme = w.tenant(&format!("acme {at}")).await;
        let (first, second) = (w.make.user(one), w.make.user(other));
        w.write(&acme, async |u| u.users().create(&first).await)
            .await;
        let kind = w
            .refusal(&acme, async |u| u.users().create(&second).await)
            .await;
        assert_eq!(kind, ErrorKind::AlreadyExists, "{one} and {other}");
        w.read(&acme, async |u| {
            let key = NameKey::of(other);
            let found = u.users().by_login(&key).await?;
            assert!(
                found == Some(first.clone()),
                "{other} finds {one}, as it was written"
            );
            let found = u.users().list(Some(&key), Page::first(9)).await?;
            assert_eq!(found, vec![first.clone()], "a search for {other}");
            Ok(())
        })
        .await;
    }
}

pub(crate) async fn user_names_written_alike_are_two(w: World) {
    for (at, (one, other)) in DIFFERENT.into_iter().enumerate() {
        let acme = w.tenant(&format!("acme {at}")).await;
        let users = [w.make.user(one), w.make.user(other)];
        for user in &users {
            w.write(&acme, async |u| u.users().create(user).await).await;
        }
        for user in &users {
            let key = user.user_name.key();
            let found = w
                .read(&acme, async |u| u.users().by_login(&key).await)
                .await;
            assert_eq!(found.as_ref(), Some(user), "{one} and {other}");
        }
    }
}

pub(crate) async fn tenant_names_written_differently_are_one(w: World) {
    for (one, other) in SAME {
        let first = w.tenant(one).await;
        let second = w.make.tenant(other);
        let kind = w
            .refusal(Scope::Platform, async |u| u.tenants().create(&second).await)
            .await;
        assert_eq!(kind, ErrorKind::AlreadyExists, "{one} and {other}");
        let key = NameKey::of(other);
        let found = w
            .read(Scope::Platform, async |u| u.tenants().by_name(&key).await)
            .await;
        assert_eq!(found, Some(first));
    }
}

pub(crate) async fn tenant_names_written_alike_are_two(w: World) {
    for (at, (one, other)) in DIFFERENT.into_iter().enumerate() {
        let (one, other) = (format!("{at} {one}"), format!("{at} {other}"));
        w.tenant(&one).await;
        w.tenant(&other).await;
    }
}

pub(crate) async fn a_search_takes_every_character_literally(w: World) {
    let acme = w.tenant("acme").await;
    let names = [
        "plain",
        "100%",
        "a_b",
        "axb",
        "back\\slash",
        "quo'te",
        "double\"quote",
        "st*r",
        "wh?t",
        "[brackets]",
        "50%_off",
        "semi;colon",
        "$1",
        "a-b",
    ];
    w.write(&acme, async |u| {
        for name in names {
            u.users().create(&w.make.user(name)).await?;
        }
        Ok(())
    })
    .await;
    let search = async |text: &str| {
        let key = NameKey::of(text);
        let found = w
            .read(&acme, async |u| {
                u.users().list(Some(&key), Page::first(99)).await
            })
            .await;
        let mut found: Vec<_> = found
            .iter()
            .map(|user| user.user_name.to_string())
            .collect();
        found.sort();
        found
    };
    for text in [
        "%", "_", "\\", "'", "\"", "*", "?", "[", "]", "%_", "_%", "a_b", "a%b", ";", "$1", "-",
        "[a-z]", ".*", "\0", "a\0", "%%", "\\%", "\\_",
    ] {
        let mut expected = names.to_vec();
        expected.retain(|name| name.contains(text));
        expected.sort_unstable();
        assert_eq!(search(text).await, expected, "a search for {text:?}");
    }
}

pub(crate) async fn a_search_among_tenants_takes_every_character_literally(w: World) {
    let display_names = ["plain", "100%", "a_b", "axb", "back\\slash"];
    for (at, name) in display_names.into_iter().enumerate() {
        let tenant = Tenant {
            display_name: DisplayName::new(name).unwrap(),
            ..w.make.tenant(&format!("tenant {at}"))
        };
        w.stored(tenant).await;
    }
    for text in ["%", "_", "\\", "a_b", "a%b", "%%", "\0", "'"] {
        let key = NameKey::of(text);
        let found = w
            .read(Scope::Platform, async |u| {
                u.tenants().list(Some(&key), Page::first(99)).await
            })
            .await;
        let mut found: Vec<_> = found
            .iter()
            .map(|tenant| tenant.display_name.as_str())
            .collect();
        found.sort_unstable();
        let mut expected = display_names.to_vec();
        expected.retain(|name| name.contains(text));
        expected.sort_unstable();
        assert_eq!(found, expected, "a search for {text:?}");
    }
}

pub(crate) async fn the_longest_names_are_kept_and_found(w: World) {
    // Four bytes a letter; and one that becomes eighteen in its key.
    for letter in ["𐍈", "\u{fdfa}", "🦊", "x"] {
        let tenant = Tenant {
            name: TenantName::new(&letter.repeat(TenantName::MAX)).unwrap(),
            display_name: DisplayName::new(&letter.repeat(DisplayName::MAX)).unwrap(),
            ..w.make.tenant("replaced")
        };
        w.stored(tenant.clone()).await;
        let found = w
            .read(Scope::Platform, async |u| {
                u.tenants().by_name(&tenant.name.key()).await
            })
            .await;
        assert_eq!(found, Some(tenant.clone()));

        let local = "l".repeat(64);
        let labels = [63, 63, 61].map(|length| "d".repeat(length)).join(".");
        let user = User {
            user_name: UserName::new(&letter.repeat(UserName::MAX)).unwrap(),
            display_name: DisplayName::new(&letter.repeat(DisplayName::MAX)).unwrap(),
            email: Some(Email::new(&format!("{local}@{labels}")).unwrap()),
            email_verified: true,
            lock: Some(Lock::new(Some(letter.repeat(500)), None, w.make.now(), false).unwrap()),
            ..w.make.user("replaced")
        };
        w.write(&tenant, async |u| u.users().create(&user).await)
            .await;
        w.read(&tenant, async |u| {
            for key in [user.user_name.key(), user.email.clone().unwrap().key()] {
                let found = u.users().by_login(&key).await?;
                assert!(found == Some(user.clone()), "{letter} comes back");
            }
            let found = u
                .users()
                .list(Some(&user.user_name.key()), Page::first(9))
                .await?;
            assert_eq!(found.len(), 1, "{letter} is found by a search");
            Ok(())
        })
        .await;
        let again = User {
            email: None,
            ..user.clone()
        };
        let again = User {
            id: w.make.user("again").id,
            ..again
        };
        let kind = w
            .refusal(&tenant, async |u| u.users().create(&again).await)
            .await;
        assert_eq!(kind, ErrorKind::AlreadyExists, "{letter} is taken");
    }
}

pub(crate) async fn long_names_that_differ_at_their_end_are_two(w: World) {
    let acme = w.tenant("acme").await;
    let name = |end| format!("{}{end}", "\u{fdfa}".repeat(253));
    for end in ["a", "b"] {
        let user = User {
            user_name: UserName::new(&name(end)).unwrap(),
            ..w.make.user("replaced")
        };
        w.write(&acme, async |u| u.users().create(&user).await)
            .await;
    }
}

pub(crate) async fn a_record_carries_64_kib_of_any_bytes(w: World) {
    let acme = w.tenant("acme").await;
    let mut random = vec![0; 64 * 1024];
    w.make.environment().fill(&mut random);
    let all: Vec<u8> = (0..=255).collect();
    for sealed in [
        vec![],
        vec![0],
        all,
        vec![0; 64 * 1024],
        vec![255; 64 * 1024],
        random,
    ] {
        let record = Record {
            label: "鍵".repeat(100),
            sealed,
            ..w.make.record(&provider("password"), None)
        };
        w.write(&acme, async |u| u.records().create(&record).await)
            .await;
        let seen = w
            .read(&acme, async |u| {
                u.records().by_id(&record.provider, record.id).await
            })
            .await;
        assert!(
            seen == Some(record.clone()),
            "{} bytes come back",
            record.sealed.len()
        );
    }
}

/// The borders of what a time can be and of what counters of time can hold.
fn times() -> Vec<Timestamp> {
    let millis = [
        0,
        1,
        999,
        946_684_799_999,
        2_147_483_647_999,
        2_147_483_648_001,
        4_294_967_296_000,
        1_793_588_645_678,
        253_370_764_800_000,
        // The last that jiff makes of milliseconds.
        253_402_207_200_000,
    ];
    millis.map(time).to_vec()
}

pub(crate) async fn times_of_tenants_users_and_locks_come_back_exactly(w: World) {
    for (at, now) in times().into_iter().enumerate() {
        let lock = Lock {
            reason: None,
            until: Some(now),
            since: now,
            cascade: false,
        };
        let tenant = Tenant {
            lock: Some(lock.clone()),
            created_at: now,
            ..w.make.tenant(&format!("tenant {at}"))
        };
        w.stored(tenant.clone()).await;
        let user = User {
            lock: Some(lock),
            created_at: now,
            ..w.make.user("ada")
        };
        w.write(&tenant, async |u| u.users().create(&user).await)
            .await;
        w.read(&tenant, async |u| {
            assert_eq!(u.tenants().by_id(tenant.id).await?, Some(tenant.clone()));
            let seen = u.users().by_id(user.id).await?;
            assert!(seen == Some(user.clone()), "{now} comes back");
            Ok(())
        })
        .await;
    }
}

pub(crate) async fn times_of_records_flows_and_counters_come_back_exactly(w: World) {
    let acme = w.tenant("acme").await;
    for now in times() {
        let record = Record {
            expires_at: Some(now),
            created_at: now,
            ..w.make.record(&provider("password"), None)
        };
        let flow = StoredFlow {
            expires_at: now,
            ..w.make.flow()
        };
        let key = w.make.hash();
        let limit = LimitState {
            count: 1,
            since: now,
            blocked_until: Some(now),
            expires_at: now,
        };
        w.write(&acme, async |u| {
            u.records().create(&record).await?;
            u.flows().create(&flow).await?;
            u.limits().store(&key, &limit).await
        })
        .await;
        w.read(&acme, async |u| {
            let seen = u.records().by_id(&record.provider, record.id).await?;
            assert!(seen == Some(record.clone()), "{now} comes back");
            let seen = u.flows().by_handle(&flow.handle).await?;
            assert!(seen == Some(flow.clone()), "{now} comes back");
            assert_eq!(u.limits().load(&key).await?, Some(limit));
            Ok(())
        })
        .await;
    }
}

pub(crate) async fn times_of_messages_come_back_exactly(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    w.write(&acme, async |u| u.users().create(&ada).await).await;
    for now in times() {
        let message = OutboxEntry {
            made_at: now,
            due_at: now,
            expires_at: now,
            ..w.make.message(&acme, &ada)
        };
        w.write(&acme, async |u| u.outbox().add(&message).await)
            .await;
        let stored = rows(&w, &acme, RowKind::Message).await;
        assert!(stored.contains(&Row::Message(message)), "{now} comes back");
    }
}

pub(crate) async fn times_of_sessions_and_audit_events_come_back_exactly(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    for now in times() {
        let mut session = Session {
            started_at: now,
            last_active_at: now,
            expires_at: now,
            ended: Some(SessionEnd {
                at: now,
                reason: EndReason::Revoked,
            }),
            ..w.make.session(&acme, &ada)
        };
        session.factors[0].at = now;
        let mut event = w.make.audit_event(Some(acme.id), "session.end");
        event.at = now;
        event.object_id = Some(session.id.to_string());
        w.write(&acme, async |u| {
            u.sessions().create(&session).await?;
            u.audit().append(&event).await
        })
        .await;
        w.read(&acme, async |u| {
            assert_eq!(u.sessions().by_id(session.id).await?, Some(session.clone()));
            let filter = AuditFilter {
                object_id: event.object_id.clone(),
                ..AuditFilter::default()
            };
            let seen = u.audit().list(&filter, Page::first(9)).await?;
            assert_eq!(seen, vec![event.clone()]);
            Ok(())
        })
        .await;
    }
}
