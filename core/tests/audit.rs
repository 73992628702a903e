//! The audit log: an event for every change, in its transaction, without secrets.

use gatelodge_core::{
    ErrorKind, Result,
    access::Caller,
    model::{
        Actor, AuditEvent, AuditFilter, DisplayName, Grant, Outcome, Tenant, TenantId, TenantName,
        TenantSettings, User, UserId, UserName,
    },
    secret::Secret,
    service::{
        DeleteTenant, InitialCredential, NewLock, NewTenant, NewUser, TenantPatch, UserPatch,
    },
    storage::Page,
};

use crate::support::{Browser, WRONG, World, kind};

const CHANGES: [&str; 13] = [
    "tenant.update",
    "tenant.lock",
    "tenant.unlock",
    "settings.update",
    "user.create",
    "user.update",
    "user.lock",
    "user.unlock",
    "user.grant",
    "session.end",
    "user.delete",
    "tenant.create",
    "tenant.delete",
];

struct House {
    world: World,
    acme: Tenant,
    ada: User,
    root: Caller,
}

async fn house() -> House {
    let world = World::new().await;
    let home = world.tenant("home").await;
    let grant = Grant::PlatformAdministrator;
    let (_, root) = world.administrator(&home, "root", grant).await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's secret word").await;
    House {
        world,
        acme,
        ada,
        root,
    }
}

/// Makes one of the changes; the list is worked through in order.
async fn change(house: &House, action: &str) -> Result<()> {
    let House {
        world,
        acme,
        ada,
        root,
    } = house;
    let (tenants, users) = (world.platform.tenants(), world.platform.users());
    let place: (TenantId, UserId) = (acme.id, ada.id);
    let display_name = Some(DisplayName::new("Another").unwrap());
    match action {
        "tenant.update" => {
            let patch = TenantPatch {
                display_name,
                name: None,
            };
            tenants.update(root, acme.id, None, patch).await.map(|_| ())
        }
        "tenant.lock" => tenants
            .lock(root, acme.id, NewLock::default())
            .await
            .map(|_| ()),
        "tenant.unlock" => tenants.unlock(root, acme.id).await.map(|_| ()),
        "settings.update" => {
            let mut new = TenantSettings::default();
            new.session.limit = Some(9);
            tenants
                .put_settings(root, acme.id, None, new)
                .await
                .map(|_| ())
        }
        "user.create" => users
            .create(root, acme.id, generated("bob"))
            .await
            .map(|_| ()),
        "user.update" => {
            let patch = UserPatch {
                display_name,
                ..UserPatch::default()
            };
            users.update(root, place, None, patch).await.map(|_| ())
        }
        "user.lock" => users
            .lock(root, place, NewLock::default())
            .await
            .map(|_| ()),
        "user.unlock" => users.unlock(root, acme.id, ada.id).await.map(|_| ()),
        "user.grant" => {
            let grant = Grant::TenantAdministrator;
            users.set_grant(root, place, grant, true).await.map(|_| ())
        }
        "session.end" => {
            let sessions = world.platform.sessions();
            sessions
                .end_of_user(root, acme.id, ada.id)
                .await
                .map(|_| ())
        }
        "user.delete" => users.delete(root, place, None).await,
        "tenant.create" => tenants.create(root, new_tenant("third")).await.map(|_| ()),
        _ => tenants.delete(root, acme.id, DeleteTenant::default()).await,
    }
}

fn generated(name: &str) -> NewUser {
    NewUser {
        user_name: UserName::new(name).unwrap(),
        display_name: None,
        email: None,
        credential: InitialCredential::Generated,
    }
}

fn new_tenant(name: &str) -> NewTenant {
    NewTenant {
        name: TenantName::new(name).unwrap(),
        display_name: None,
    }
}

/// Every event there is, wherever it lies.
async fn everything(house: &House) -> Vec<AuditEvent> {
    let mut events = house.world.audit(None).await;
    events.extend(house.world.audit(Some(house.acme.id)).await);
    let tenants = house.world.platform.tenants();
    let listed = tenants
        .list(&Caller::operator(), None, Page::first(50))
        .await;
    for tenant in listed.unwrap().items {
        if tenant.id != house.acme.id {
            events.extend(house.world.audit(Some(tenant.id)).await);
        }
    }
    events
}

/// G1: each change leaves exactly one event that says who, what and where.
#[tokio::test]
async fn every_change_leaves_one_event() {
    let house = house().await;
    house
        .world
        .signed_in(&house.acme, "ada", "ada's secret word")
        .await;
    let root = house.root.signed_in().unwrap().clone();
    for action in CHANGES {
        let before = everything(&house).await;
        change(&house, action).await.unwrap();
        let after = everything(&house).await;
        let new: Vec<_> = after
            .iter()
            .filter(|event| !before.contains(event))
            .collect();
        let actions: Vec<_> = new.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(actions, [action]);
        let event = new[0];
        let actor = Actor::User {
            tenant: root.tenant,
            id: root.user,
        };
        assert_eq!(event.actor, actor);
        assert_eq!(event.outcome, Outcome::Success);
        assert!(event.object_id.is_some(), "{action} is about something");
        assert_eq!(event.client, house.root.client);
        assert_eq!(event.at, house.world.now());
    }
}

/// The event and the change are one transaction: without the one there is not
/// the other.
#[tokio::test]
async fn a_change_that_cannot_be_audited_does_not_happen() {
    let house = house().await;
    for action in CHANGES {
        let seen = async || {
            let tenants = house.world.platform.tenants();
            let users = house.world.platform.users();
            let operator = Caller::operator();
            let all = tenants
                .list(&operator, None, Page::first(50))
                .await
                .unwrap();
            let settings = tenants.settings(&operator, house.acme.id).await.ok();
            let people = users
                .list(&operator, house.acme.id, None, Page::first(50))
                .await;
            let adas = users
                .read(&operator, house.acme.id, house.ada.id)
                .await
                .ok();
            let sessions = house.world.platform.sessions();
            let open = sessions
                .list(&operator, house.acme.id, None, false, Page::first(50))
                .await;
            (all, settings, people.unwrap(), adas, open.unwrap())
        };
        if action == "session.end" {
            let operator = Caller::operator();
            let users = house.world.platform.users();
            users
                .unlock(&operator, house.acme.id, house.ada.id)
                .await
                .unwrap();
            house
                .world
                .signed_in(&house.acme, "ada", "ada's secret word")
                .await;
        }
        let before = seen().await;
        house.world.storage.lose_audit(true);
        let failed = change(&house, action).await;
        house.world.storage.lose_audit(false);
        assert_eq!(kind(failed), ErrorKind::Unavailable, "{action}");
        assert!(seen().await == before, "{action}");
        change(&house, action).await.unwrap();
    }
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_audited_does_not_happen() {
    let house = house().await;
    let mut browser = Browser::at_tenant(&house.world, &house.acme).await;
    house.world.storage.lose_audit(true);
    let failed = browser.word(&house.world, "ada", "ada's secret word").await;
    assert_eq!(kind(failed), ErrorKind::Unavailable);
    house.world.storage.lose_audit(false);
    browser
        .word(&house.world, "ada", "ada's secret word")
        .await
        .unwrap();
    assert!(browser.token().is_some());
}

/// G1, L9: refusals are events too, with the reason, and about the account.
#[tokio::test]
async fn a_refused_sign_in_is_told_to_the_tenants_administrators() {
    let house = house().await;
    let mut browser = Browser::at_tenant(&house.world, &house.acme).await;
    house.world.pass(crate::support::MILLISECOND);
    browser.word(&house.world, "ada", WRONG).await.unwrap();
    let filter = AuditFilter {
        object_id: Some(house.ada.id.to_string()),
        from: Some(house.world.now()),
        ..AuditFilter::default()
    };
    let log = house.world.platform.audit_log();
    let listed = log
        .list(&house.root, house.acme.id, &filter, Page::first(10))
        .await;
    let event = &listed.unwrap().items[0];
    assert_eq!(event.action, "session.start");
    assert_eq!(event.outcome, Outcome::Refused);
    assert_eq!(event.reason.as_deref(), Some("wrong_word"));
    assert_eq!(event.client, browser.client);

    let (_, boss) = house
        .world
        .administrator(&house.acme, "boss", Grant::TenantAdministrator)
        .await;
    let filter = AuditFilter::default();
    log.list(&boss, house.acme.id, &filter, Page::first(1))
        .await
        .unwrap();
    let home = house.root.signed_in().unwrap().tenant;
    let foreign = log.list(&boss, home, &filter, Page::first(1)).await;
    assert_eq!(kind(foreign), ErrorKind::NotFound);
    let adas = house
        .world
        .signed_in(&house.acme, "ada", "ada's secret word")
        .await;
    let ada = house.world.caller(&adas).await;
    let denied = log.list(&ada, house.acme.id, &filter, Page::first(1)).await;
    assert_eq!(kind(denied), ErrorKind::Denied);
}

/// S17: nothing secret is written down, whatever happens.
#[tokio::test]
async fn s17_no_event_holds_a_secret() {
    let house = house().await;
    let (world, acme) = (&house.world, &house.acme);
    let browser = world
        .enrol_code(acme, "ada", "ada's secret word", "c0de-canary")
        .await;
    let mut secrets = vec!["ada's secret word".to_owned(), "c0de-canary".to_owned()];
    secrets.push(browser.token().unwrap().expose().to_owned());
    secrets.push(browser.device.as_ref().unwrap().expose().to_owned());
    let mut wrong = Browser::at_tenant(world, acme).await;
    wrong.word(world, "ada", "wrong canary").await.unwrap();
    wrong
        .word(world, "nobody canary", "wrong canary")
        .await
        .unwrap();
    secrets.extend(["wrong canary".to_owned(), "nobody canary".to_owned()]);
    let (_, generated) = world
        .user_with(acme, "bob", InitialCredential::Generated)
        .await;
    let generated: Secret = generated.unwrap();
    let mut bob = Browser::at_tenant(world, acme).await;
    bob.word(world, "bob", generated.expose()).await.unwrap();
    secrets.push(bob.handle.binding.as_ref().unwrap().expose().to_owned());
    bob.change_word(world, "bob's new canary").await.unwrap();
    secrets.extend([generated.expose().to_owned(), "bob's new canary".to_owned()]);
    for action in CHANGES {
        change(&house, action).await.ok();
    }
    let events = serde_json::to_string(&everything(&house).await).unwrap();
    assert!(events.contains("user.change_credential"));
    for secret in secrets {
        assert!(!events.contains(&secret), "`{secret}` is in the audit log");
    }
}
