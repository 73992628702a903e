use std::{collections::BTreeMap, sync::Arc};

use gatelodge_core::{
    access::Caller,
    model::{AuditEvent, Email, Outcome, TenantId, UserName},
    service::{LinkedIdentity, NewUser},
    storage::Page,
};
use gatelodge_provider_oidc::Liar;
use serde_json::{Value, json};

use super::{Visitor, outside::Outside};
use crate::support::{PASSWORD, Person, Plan, World, given};

/// A server with connections to third parties, and those.
pub(super) struct House {
    pub(super) world: World,
    pub(super) outside: Arc<Outside>,
}

/// A connection to an OpenID provider without a preset, with more keys.
pub(super) fn connection(id: &str, more: Value) -> (String, Value) {
    let table = json!({
        "issuer": format!("https://{id}.example/realm"), "client_id": format!("client-of-{id}"),
        "client_secret": format!("the secret of {id} 4711"), "algorithms": ["ES256"], "label": id,
    });
    (id.to_owned(), with(table, more))
}

/// One to a service that is known by its name.
pub(super) fn preset(id: &str, name: &str, more: Value) -> (String, Value) {
    let table = json!({
        "preset": name, "client_id": format!("client-of-{id}"),
        "client_secret": format!("the secret of {id} 4711"), "algorithms": ["ES256"], "label": id,
    });
    (id.to_owned(), with(table, more))
}

fn with(mut table: Value, more: Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        table[key] = value.clone();
    }
    table
}

impl House {
    /// With `plain`, whose callbacks are redirects, and `posting`, which has browsers send
    /// a form; both make accounts at once.
    pub(super) async fn usual(world: &World) -> Self {
        let creates = json!({"new_accounts": "create"});
        let posts = json!({"new_accounts": "create", "response_mode": "form_post"});
        let both = vec![connection("plain", creates), connection("posting", posts)];
        Self::on(world, both, |_| {}).await
    }

    /// On the same kind of storage as another world; with the tenants `home` and `away`.
    pub(super) async fn on(
        world: &World,
        connections: Vec<(String, Value)>,
        change: impl FnOnce(&mut Plan),
    ) -> Self {
        let outside = Arc::new(Outside::default());
        for (id, table) in &connections {
            outside.add(id, table);
        }
        let world = world
            .another_by(|plan| {
                plan.config.server.origin = Some("https://id.example.org".parse().unwrap());
                plan.connections = connections;
                plan.outside = outside.clone();
                change(plan);
            })
            .await;
        outside.tell_time(world.clock.clone());
        for name in ["home", "away"] {
            world.tenant(name).await;
        }
        Self { world, outside }
    }

    pub(super) fn visitor(&self) -> Visitor<'_> {
        Visitor::new(self, &self.world)
    }

    /// What a third party is from now on.
    pub(super) fn party(&self, id: &str, change: impl FnOnce(Liar) -> Liar) {
        self.outside.is(id, change);
    }

    /// A third party says this of everybody from now on.
    pub(super) fn says(&self, id: &str, claims: &Value) {
        let claims = claims.as_object().unwrap();
        self.party(id, |liar| {
            let said = claims.iter();
            said.fold(liar, |liar, (name, value)| liar.saying(name, value.clone()))
        });
    }

    pub(super) async fn tenant(&self, name: &str) -> TenantId {
        let named = gatelodge_core::service::TenantRef::parse(name);
        let found = self.world.platform.tenants().find(&named).await.unwrap();
        found.unwrap().id
    }

    pub(super) async fn has(&self, tenant: &str) -> bool {
        let named = gatelodge_core::service::TenantRef::parse(tenant);
        let found = self.world.platform.tenants().find(&named).await;
        found.unwrap().is_some()
    }

    /// A user with [`PASSWORD`] and an address.
    pub(super) async fn user_at(&self, tenant: &str, name: &str, address: &str) -> Person {
        let place = self.tenant(tenant).await;
        let new = NewUser {
            user_name: UserName::new(name).unwrap(),
            display_name: None,
            email: Some(Email::new(address).unwrap()),
            credential: given(PASSWORD, false),
        };
        let users = self.world.platform.users();
        let (made, _) = users.create(&Caller::operator(), place, new).await.unwrap();
        Person {
            tenant: place,
            tenant_name: tenant.to_owned(),
            id: made.id,
            name: name.to_owned(),
        }
    }

    /// What is linked to a user.
    pub(super) async fn links(&self, person: &Person) -> Vec<LinkedIdentity> {
        let users = self.world.platform.users();
        let operator = Caller::operator();
        let links = users.identities(&operator, person.tenant, person.id);
        links.await.unwrap()
    }

    /// The users of a tenant by name, each with the connections that they are linked by.
    pub(super) async fn people(&self, tenant: &str) -> BTreeMap<String, Vec<String>> {
        let place = self.tenant(tenant).await;
        let users = self.world.platform.users();
        let operator = Caller::operator();
        let listed = users.list(&operator, place, None, Page::first(200)).await;
        let mut people = BTreeMap::new();
        for user in listed.unwrap().items {
            let links = users.identities(&operator, place, user.id).await.unwrap();
            let links = links.into_iter().map(|link| link.connection.to_string());
            people.insert(user.user_name.to_string(), links.collect());
        }
        people
    }

    /// How many sessions there are in a tenant.
    pub(super) async fn sessions(&self, tenant: &str) -> usize {
        let place = self.tenant(tenant).await;
        let sessions = self.world.platform.sessions();
        let operator = Caller::operator();
        let all = sessions.list(&operator, place, None, true, Page::first(200));
        all.await.unwrap().items.len()
    }

    /// A tenant's newest events, the newest first.
    pub(super) async fn events(&self, tenant: &str) -> Vec<AuditEvent> {
        let place = self.tenant(tenant).await;
        let (log, filter) = (self.world.platform.audit_log(), Default::default());
        let operator = Caller::operator();
        let events = log.list(&operator, place, &filter, Page::first(200));
        events.await.unwrap().items
    }

    /// Why sign-ins by a connection were refused, the newest first.
    pub(super) async fn refusals(&self, tenant: &str, id: &str) -> Vec<String> {
        let events = self.events(tenant).await.into_iter();
        let refused = events.filter(|event| {
            let mut changes = event.changes.iter();
            event.outcome == Outcome::Refused
                && changes.any(|change| change.new.as_deref() == Some(id))
        });
        refused.map(|event| event.reason.unwrap()).collect()
    }
}
