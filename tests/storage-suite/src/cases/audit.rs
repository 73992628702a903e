//! The audit log.

use gatelodge_core::{
    ErrorKind,
    model::{
        Actor, AuditEvent, AuditEventId, AuditFilter, ClientFacts, FieldChange, Outcome, TenantId,
    },
    storage::{Page, Scope},
};

use crate::world::{Place, World, paged};

async fn append(w: &World, place: impl Place, event: &AuditEvent) {
    w.write(place, async |u| u.audit().append(event).await)
        .await;
}

async fn list(w: &World, place: impl Place, filter: &AuditFilter) -> Vec<AuditEvent> {
    w.read(place, async |u| {
        u.audit().list(filter, Page::first(99)).await
    })
    .await
}

pub(crate) async fn an_event_comes_back_as_it_was_written(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    let change = |field: &str, old: Option<&str>, new: Option<&str>| FieldChange {
        field: field.to_owned(),
        old: old.map(str::to_owned),
        new: new.map(str::to_owned),
    };
    let full = AuditEvent {
        actor: Actor::User {
            tenant: acme.id,
            id: ada.id,
        },
        object_id: Some(ada.id.to_string()),
        outcome: Outcome::Refused,
        reason: Some("locked".to_owned()),
        changes: vec![
            change("user_name", Some("ada"), Some("Ada — 愛 🗝")),
            change("password", None, None),
            change("email", None, Some("")),
        ],
        client: ClientFacts {
            address: Some("2001:db8::1".to_owned()),
            network: Some("2001:db8::/64".to_owned()),
            user_agent: Some("ü".repeat(255)),
            request_id: Some(String::new()),
        },
        ..w.make.audit_event(Some(acme.id), "user.update")
    };
    let mut events = vec![full];
    for actor in [Actor::Anonymous, Actor::System, Actor::Operator] {
        events.push(AuditEvent {
            actor,
            ..w.make.audit_event(Some(acme.id), "session.start")
        });
    }
    for event in &events {
        append(&w, &acme, event).await;
    }
    events.sort_by_key(|event| std::cmp::Reverse(event.id));
    assert_eq!(list(&w, &acme, &AuditFilter::default()).await, events);
}

pub(crate) async fn the_platform_writes_for_any_tenant_and_for_none(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let ghost = TenantId::generate(w.make.environment());
    let event = |tenant| w.make.audit_event(tenant, "tenant.lock");
    let events = [
        event(None),
        event(Some(acme.id)),
        event(Some(other.id)),
        event(Some(ghost)),
    ];
    for event in &events {
        append(&w, Scope::Platform, event).await;
    }
    let [none, of_acme, of_other, of_ghost] = events;
    let all = AuditFilter::default();
    assert_eq!(list(&w, Scope::Platform, &all).await, vec![none]);
    assert_eq!(list(&w, &acme, &all).await, vec![of_acme]);
    assert_eq!(list(&w, &other, &all).await, vec![of_other]);
    assert_eq!(list(&w, ghost, &all).await, vec![of_ghost]);
}

pub(crate) async fn an_event_id_is_written_once(w: World) {
    let acme = w.tenant("acme").await;
    let event = w.make.audit_event(Some(acme.id), "user.lock");
    append(&w, &acme, &event).await;
    let again = AuditEvent {
        action: "user.unlock".to_owned(),
        ..event.clone()
    };
    let kind = w
        .refusal(&acme, async |u| u.audit().append(&again).await)
        .await;
    assert_eq!(kind, ErrorKind::AlreadyExists, "entries are never changed");
    assert_eq!(list(&w, &acme, &AuditFilter::default()).await, vec![event]);
}

pub(crate) async fn events_are_listed_newest_first_page_by_page(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let mut expected = Vec::new();
    for number in 0..15 {
        let event = AuditEvent {
            // The order is that of the ids, whatever the clocks said.
            at: w.make.at(-number),
            ..w.make.audit_event(Some(acme.id), "user.update")
        };
        append(&w, &acme, &event).await;
        expected.push(event);
        let foreign = w.make.audit_event(Some(other.id), "user.update");
        append(&w, &other, &foreign).await;
        let none = w.make.audit_event(None, "user.update");
        append(&w, Scope::Platform, &none).await;
    }
    expected.sort_by_key(|event| std::cmp::Reverse(event.id));
    let filters = [
        AuditFilter::default(),
        AuditFilter {
            action: Some("user.update".to_owned()),
            ..AuditFilter::default()
        },
    ];
    for filter in &filters {
        let listed = paged(
            |event: &AuditEvent| event.id,
            async |page| {
                w.read(&acme, async |u| u.audit().list(filter, page).await)
                    .await
            },
        )
        .await;
        assert_eq!(listed, expected);
    }
    let listed = paged(
        |event: &AuditEvent| event.id,
        async |page| {
            w.read(Scope::Platform, async |u| {
                u.audit().list(&filters[0], page).await
            })
            .await
        },
    )
    .await;
    assert_eq!(listed.len(), 15);
}

pub(crate) async fn a_page_stays_where_it_is_while_events_are_written(w: World) {
    let acme = w.tenant("acme").await;
    let mut events: Vec<_> = (0..6)
        .map(|_| w.make.audit_event(Some(acme.id), "user.update"))
        .collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.id));
    for event in &events[1..4] {
        append(&w, &acme, event).await;
    }
    let all = AuditFilter::default();
    let page = async |page: Page<AuditEventId>| {
        w.read(&acme, async |u| u.audit().list(&all, page).await)
            .await
    };
    assert_eq!(page(Page::first(2)).await, events[1..3]);
    append(&w, &acme, &events[0]).await;
    append(&w, &acme, &events[4]).await;
    assert_eq!(page(Page::after(events[2].id, 9)).await, events[3..5]);
}

pub(crate) async fn events_are_filtered_by_action_object_and_time(w: World) {
    let acme = w.tenant("acme").await;
    let mut events = Vec::new();
    for (action, object, millis) in [
        ("user.lock", Some("ada"), 0),
        ("user.unlock", Some("ada"), 1),
        ("user.lock", Some("bob"), 2),
        ("user.lock", None, 3),
    ] {
        let event = AuditEvent {
            at: w.make.at(millis),
            object_id: object.map(str::to_owned),
            ..w.make.audit_event(Some(acme.id), action)
        };
        append(&w, &acme, &event).await;
        events.push(event);
    }
    let text = |text: &str| Some(text.to_owned());
    let filter = |action: Option<&str>, object: Option<&str>, from, until| AuditFilter {
        action: action.and_then(text),
        object_id: object.and_then(text),
        from: Option::map(from, |millis| w.make.at(millis)),
        until: Option::map(until, |millis| w.make.at(millis)),
    };
    for (filter, expected) in [
        (filter(None, None, None, None), vec![0, 1, 2, 3]),
        (filter(Some("user.lock"), None, None, None), vec![0, 2, 3]),
        (filter(Some("user."), None, None, None), vec![]),
        (filter(Some("USER.LOCK"), None, None, None), vec![]),
        (filter(None, Some("ada"), None, None), vec![0, 1]),
        (filter(None, Some(""), None, None), vec![]),
        (filter(Some("user.lock"), Some("ada"), None, None), vec![0]),
        (filter(None, None, Some(1), None), vec![1, 2, 3]),
        (filter(None, None, None, Some(1)), vec![0]),
        (filter(None, None, Some(1), Some(3)), vec![1, 2]),
        (filter(None, None, Some(2), Some(2)), vec![]),
        (filter(Some("user.lock"), None, Some(1), Some(3)), vec![2]),
    ] {
        let mut expected: Vec<_> = expected
            .iter()
            .map(|at: &usize| events[*at].clone())
            .collect();
        expected.sort_by_key(|event| std::cmp::Reverse(event.id));
        assert_eq!(list(&w, &acme, &filter).await, expected, "{filter:?}");
    }
}
