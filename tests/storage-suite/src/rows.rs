//! Rows of every kind, as full and odd as they may be.

use gatelodge_core::{
    environment::whole_milliseconds,
    model::{
        Actor, Application, AtLimit, AuditEvent, ClientFacts, EndReason, FieldChange, Grant, Lock,
        MustChange, Outcome, ReturnAddress, Session, SessionEnd, Tenant, TenantSettings, User,
        UserStatus, WebOrigin,
    },
    provider::MessageChannel,
    storage::{LimitState, OutboxEntry, Record, Row, RowKey, RowKind, Scope, StoredFlow},
};
use jiff::Timestamp;

use crate::{
    fixtures::{Fixtures, provider},
    world::{Place, World},
};

/// Every way in which a session ends.
const ENDS: [EndReason; 7] = [
    EndReason::SignedOut,
    EndReason::TimedOut,
    EndReason::Replaced,
    EndReason::Revoked,
    EndReason::Locked,
    EndReason::CredentialChanged,
    EndReason::Restored,
];

/// All rows of a kind.
pub(crate) async fn rows(w: &World, place: impl Place, kind: RowKind) -> Vec<Row> {
    w.read(place.scope(), async |u| {
        u.archive().rows(kind, None, 1_000).await
    })
    .await
}

/// Stores rows.
pub(crate) async fn put(w: &World, place: impl Place, rows: &[Row]) {
    w.write(place.scope(), async |u| u.archive().put(rows).await)
        .await;
}

pub(crate) fn keys(rows: &[Row]) -> Vec<RowKey> {
    rows.iter().map(Row::key).collect()
}

/// Some rows of every kind that fit together, those inside of one tenant, which
/// is not among them. No two stocks in one storage meet.
pub(crate) struct Stock {
    pub(crate) tenant: Tenant,
    pub(crate) rows: Vec<(Scope, RowKind, Vec<Row>)>,
}

impl Stock {
    pub(crate) fn made(w: &World, tenant: &Tenant) -> Self {
        let make = &w.make;
        let label = &format!("{:08x}", u32::from_be_bytes(make.environment().bytes()));
        let (ada, bob) = users(make, label);
        let inside = Scope::Tenant(tenant.id);
        let grants = [
            (&ada, Grant::ALL[0]),
            (&ada, Grant::ALL[1]),
            (&bob, Grant::ALL[1]),
        ];
        let grants = grants.map(|(user, grant)| Row::Grant {
            user: user.id,
            grant,
        });
        let sessions = sessions(make, tenant, &ada);
        let rows = vec![
            (Scope::Platform, RowKind::Value, values(label)),
            (Scope::Platform, RowKind::Tenant, tenants(make, label)),
            (Scope::Platform, RowKind::Limit, limits(make)),
            (Scope::Platform, RowKind::Flow, flows(make)),
            (Scope::Platform, RowKind::Event, events(make, None, &ada)),
            (inside, RowKind::Settings, vec![settings()]),
            (
                inside,
                RowKind::Application,
                applications(make, tenant, label),
            ),
            (inside, RowKind::Record, records(make, &ada)),
            (inside, RowKind::Message, messages(make, tenant, &ada)),
            (
                inside,
                RowKind::User,
                vec![Row::User(ada.clone()), Row::User(bob)],
            ),
            (inside, RowKind::Grant, grants.to_vec()),
            (inside, RowKind::Session, sessions),
            (inside, RowKind::Event, events(make, Some(tenant), &ada)),
        ];
        let mut stock = Self {
            tenant: tenant.clone(),
            rows,
        };
        // What refers after what it refers to.
        stock.rows.sort_by_key(|(_, kind, _)| *kind);
        for (_, kind, rows) in &mut stock.rows {
            if *kind != RowKind::Tenant {
                rows.sort_by_cached_key(Row::key);
            }
        }
        stock
    }

    /// Puts everything.
    pub(crate) async fn store(&self, w: &World) {
        for (scope, _, rows) in &self.rows {
            put(w, *scope, rows).await;
        }
    }

    /// One row of a kind.
    pub(crate) fn one(&self, kind: RowKind) -> Row {
        let mut rows = self.rows.iter().filter(|(_, of, _)| *of == kind);
        let row = rows.next().and_then(|(_, _, rows)| rows.first());
        row.expect("there is a row of every kind").clone()
    }
}

/// A time with odd milliseconds, before 1970 too.
fn odd(millis: i64) -> Timestamp {
    let time = Timestamp::from_millisecond(millis).expect("the milliseconds are a time");
    whole_milliseconds(time)
}

fn lock(until: Option<Timestamp>, cascade: bool) -> Lock {
    Lock {
        reason: Some("“on leave”\nuntil Ω".to_owned()),
        until,
        since: odd(-62_135_596_799_999),
        cascade,
    }
}

fn values(label: &str) -> Vec<Row> {
    let long: Vec<u8> = (0..=255).cycle().take(64 * 1024).collect();
    [(long, 1_234_567), (Vec::new(), 1)]
        .into_iter()
        .enumerate()
        .map(|(number, (value, version))| Row::Value {
            name: format!("{label} {number}"),
            value,
            version,
        })
        .collect()
}

fn tenants(make: &Fixtures, label: &str) -> Vec<Row> {
    let master = Tenant {
        lock: Some(lock(Some(odd(253_402_207_199_999)), true)),
        created_at: odd(1),
        version: 9_007_199_254_740_993,
        ..make.tenant(&format!("{label} Straße"))
    };
    let below = Tenant {
        display_name: make.user("ДРУГОЙ").display_name,
        lock: Some(Lock {
            reason: None,
            ..lock(None, false)
        }),
        ..make.sub_tenant(&format!("{label} below"), &master)
    };
    vec![Row::Tenant(master), Row::Tenant(below)]
}

fn limits(make: &Fixtures) -> Vec<Row> {
    let blocked = LimitState {
        count: i64::MAX,
        since: odd(-1),
        blocked_until: Some(odd(1_793_588_645_679)),
        expires_at: odd(-1),
    };
    [blocked, make.limit(3)]
        .map(|state| Row::Limit {
            key: make.hash(),
            state,
        })
        .to_vec()
}

fn flows(make: &Fixtures) -> Vec<Row> {
    let long = StoredFlow {
        version: 77,
        expires_at: odd(-1_001),
        sealed: (0..=255).cycle().take(256 * 1024).collect(),
        ..make.flow()
    };
    vec![Row::Flow(long), Row::Flow(make.flow())]
}

fn settings() -> Row {
    let mut settings = TenantSettings::default();
    settings.session.idle_minutes = Some(43_200);
    settings.session.at_limit = Some(AtLimit::Refuse);
    settings.registration.enabled = Some(false);
    Row::Settings {
        settings,
        version: 41,
    }
}

fn users(make: &Fixtures, label: &str) -> (User, User) {
    let ada = User {
        display_name: make.user("Ἀδα <b>&amp;").display_name,
        status: UserStatus::Deactivated,
        lock: Some(lock(Some(odd(4_102_444_800_001)), false)),
        must_change: Some(MustChange::Compromised),
        credential_epoch: 7,
        created_at: odd(999),
        version: 12,
        ..make.user_with_email(
            &format!("{label} ADA ﬁ"),
            &format!("{label}@example.com"),
            true,
        )
    };
    (ada, make.user(&format!("{label} bob")))
}

fn applications(make: &Fixtures, tenant: &Tenant, label: &str) -> Vec<Row> {
    let origin = |number| format!("https://{label}-{number}.example.org");
    let origins = (0..Application::MOST).map(origin);
    let addresses = (0..Application::MOST).map(|number| format!("{}/?a=%22", origin(number)));
    let full = Application {
        origins: origins
            .filter_map(|text| WebOrigin::new(&text).ok())
            .collect(),
        return_to: addresses
            .filter_map(|text| ReturnAddress::new(&text).ok())
            .collect(),
        created_at: odd(-62_135_596_799_999),
        version: 9_007_199_254_740_993,
        ..make.application(tenant, &format!("{label} Läden \u{1f6d2}"))
    };
    let bare = Application {
        origins: Vec::new(),
        return_to: Vec::new(),
        ..make.application(tenant, &format!("{label} bare"))
    };
    vec![Row::Application(full), Row::Application(bare)]
}

fn records(make: &Fixtures, ada: &User) -> Vec<Row> {
    let long = Record {
        key: Some(make.hash()),
        label: "a label, “quoted”".to_owned(),
        expires_at: Some(odd(-1)),
        created_at: odd(12_345),
        version: 5,
        sealed: (0..=255).rev().cycle().take(64 * 1024).collect(),
        ..make.record(&provider("one-time-code"), Some(ada.id))
    };
    let bare = Record {
        label: String::new(),
        sealed: Vec::new(),
        ..make.record(&provider("link"), None)
    };
    vec![Row::Record(long), Row::Record(bare)]
}

fn messages(make: &Fixtures, tenant: &Tenant, ada: &User) -> Vec<Row> {
    let tried = OutboxEntry {
        channel: MessageChannel::Sms,
        made_at: odd(-1),
        due_at: odd(1_793_588_645_001),
        expires_at: odd(1_793_588_645_003),
        tries: 5,
        version: 11,
        sealed: (0..=255).cycle().take(64 * 1024).collect(),
        ..make.message(tenant, ada)
    };
    let new = OutboxEntry {
        sealed: Vec::new(),
        ..make.message(tenant, ada)
    };
    vec![Row::Message(tried), Row::Message(new)]
}

fn client() -> ClientFacts {
    ClientFacts {
        address: Some("2001:db8::7".to_owned()),
        network: Some("2001:db8::/64".to_owned()),
        user_agent: Some("Mozilla/5.0 (“quoted”)".to_owned()),
        request_id: Some("0f".to_owned()),
    }
}

fn sessions(make: &Fixtures, tenant: &Tenant, ada: &User) -> Vec<Row> {
    let open = Session {
        application: Some("shop".to_owned()),
        scope: Some("set_password".to_owned()),
        client: client(),
        started_at: odd(1_793_588_645_001),
        last_active_at: odd(1_793_588_645_999),
        idle_seconds: 61,
        ..make.session(tenant, ada)
    };
    let ended = ENDS.map(|reason| Session {
        ended: Some(SessionEnd {
            at: odd(1_793_588_645_003),
            reason,
        }),
        ..make.session(tenant, ada)
    });
    let all = std::iter::once(open).chain(ended);
    all.map(Row::Session).collect()
}

fn events(make: &Fixtures, tenant: Option<&Tenant>, ada: &User) -> Vec<Row> {
    let id = tenant.map(|tenant| tenant.id);
    let actor = tenant.map_or(Actor::Operator, |tenant| Actor::User {
        tenant: tenant.id,
        id: ada.id,
    });
    let full = AuditEvent {
        at: odd(1),
        actor,
        object_id: Some(ada.id.to_string()),
        outcome: Outcome::Refused,
        reason: Some("wrong_credential".to_owned()),
        changes: vec![FieldChange {
            field: "display_name".to_owned(),
            old: Some("Ä\u{1}\\\"".to_owned()),
            new: None,
        }],
        client: client(),
        ..make.audit_event(id, "user.update")
    };
    vec![
        Row::Event(full),
        Row::Event(make.audit_event(id, "session.start")),
    ]
}
