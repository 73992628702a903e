//! Route × role × tenant, from the API's own description (S34, S35, S37).
//!
//! The table is the one place that says who may do what over HTTP. An operation
//! that it does not list fails the build, and so does an entry without one.

use axum::http::Method;
use gatelodge_core::{
    access::Caller,
    model::{SessionId, TenantId},
    storage::Page,
};
use serde_json::{Value, json};

use crate::support::{Answer, Person, Town, World, description::operations, on_each_storage, town};

on_each_storage!(
    s34_every_route_answers_every_role_as_the_table_says,
    s35_an_id_of_another_tenant_is_not_found_and_changes_nothing,
    s37_nobody_reaches_above_oneself,
);

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nobody.
    Anonymous,
    /// A user of `home` without any grant.
    User,
    /// An administrator of `home`.
    Administrator,
    /// An administrator of another tenant, `away`.
    Stranger,
    /// An administrator of the platform, of a third tenant.
    Platform,
    /// A user of `home` whose session is limited to a purpose.
    Scoped,
    /// An administrator of `home` who has signed out.
    Ended,
}

pub(crate) const ROLES: [Role; 7] = [
    Role::Anonymous,
    Role::User,
    Role::Administrator,
    Role::Stranger,
    Role::Platform,
    Role::Scoped,
    Role::Ended,
];

/// What each role is answered, in the order of [`ROLES`], for `home` and what is in it.
const TABLE: [(&str, [u16; 7]); 55] = [
    // For everybody: a wrong set-up token, and flows, whose id is the credential.
    ("set_up", [404; 7]),
    ("start_flow", [201; 7]),
    ("read_flow", [200; 7]),
    ("answer_flow", [200; 7]),
    ("cancel_flow", [204; 7]),
    ("read_keys", [200; 7]),
    // One's own session and account.
    ("read_session", [401, 200, 200, 200, 200, 200, 401]),
    ("end_session", [401, 204, 204, 204, 204, 204, 401]),
    ("list_own_sessions", [401, 200, 200, 200, 200, 403, 401]),
    ("end_other_sessions", [401, 200, 200, 200, 200, 403, 401]),
    ("end_own_session", [401, 204, 204, 204, 204, 403, 401]),
    ("list_own_devices", [401, 200, 200, 200, 200, 403, 401]),
    // A device that nobody has: `devices` forgets those that somebody has.
    ("forget_own_device", [401, 404, 404, 404, 404, 403, 401]),
    ("list_own_factors", [401, 200, 200, 200, 200, 403, 401]),
    ("list_own_identities", [401, 200, 200, 200, 200, 403, 401]),
    ("list_own_tenants", [401, 200, 200, 200, 200, 403, 401]),
    // For proxies, which say for which host they ask.
    ("forward_auth", [400; 7]),
    // For an application of `home`.
    ("create_token", [401, 200, 200, 404, 404, 403, 401]),
    // Tenants.
    ("list_tenants", [401, 403, 200, 200, 200, 403, 401]),
    ("create_tenant", [401, 403, 403, 403, 201, 403, 401]),
    ("read_tenant", [401, 403, 200, 404, 200, 403, 401]),
    ("update_tenant", [401, 403, 403, 404, 200, 403, 401]),
    ("delete_tenant", [401, 403, 403, 404, 204, 403, 401]),
    ("lock_tenant", [401, 403, 403, 404, 200, 403, 401]),
    ("unlock_tenant", [401, 403, 403, 404, 200, 403, 401]),
    ("read_settings", [401, 403, 200, 404, 200, 403, 401]),
    ("replace_settings", [401, 403, 200, 404, 200, 403, 401]),
    ("list_rules", [401, 403, 200, 404, 200, 403, 401]),
    // What is in a tenant.
    ("list_sessions", [401, 403, 200, 404, 200, 403, 401]),
    ("end_session_of_tenant", [401, 403, 204, 404, 204, 403, 401]),
    ("list_audit_events", [401, 403, 200, 404, 200, 403, 401]),
    ("list_applications", [401, 403, 200, 404, 200, 403, 401]),
    ("create_application", [401, 403, 201, 404, 201, 403, 401]),
    ("read_application", [401, 403, 200, 404, 200, 403, 401]),
    ("update_application", [401, 403, 200, 404, 200, 403, 401]),
    ("delete_application", [401, 403, 204, 404, 204, 403, 401]),
    ("list_users", [401, 403, 200, 404, 200, 403, 401]),
    ("create_user", [401, 403, 201, 404, 201, 403, 401]),
    ("read_user", [401, 403, 200, 404, 200, 403, 401]),
    ("update_user", [401, 403, 200, 404, 200, 403, 401]),
    ("delete_user", [401, 403, 204, 404, 204, 403, 401]),
    ("lock_user", [401, 403, 200, 404, 200, 403, 401]),
    ("unlock_user", [401, 403, 200, 404, 200, 403, 401]),
    ("require_change", [401, 403, 200, 404, 200, 403, 401]),
    ("give_grant", [401, 403, 200, 404, 200, 403, 401]),
    ("take_grant", [401, 403, 200, 404, 200, 403, 401]),
    // Nothing makes links in this world: see `links`.
    ("make_user_link", [401, 403, 201, 404, 201, 403, 401]),
    ("list_user_factors", [401, 403, 200, 404, 200, 403, 401]),
    // A factor that nobody has: `second_factors` removes those that somebody has.
    ("remove_user_factor", [401, 403, 404, 404, 404, 403, 401]),
    ("list_user_identities", [401, 403, 200, 404, 200, 403, 401]),
    ("unlink_user_identity", [401, 403, 404, 404, 404, 403, 401]),
    ("list_user_devices", [401, 403, 200, 404, 200, 403, 401]),
    ("forget_user_device", [401, 403, 404, 404, 404, 403, 401]),
    ("list_user_sessions", [401, 403, 200, 404, 200, 403, 401]),
    ("end_user_sessions", [401, 403, 200, 404, 200, 403, 401]),
];

/// What the table says.
fn expected(operation: &str, role: Role) -> u16 {
    let (_, statuses) = TABLE
        .iter()
        .find(|(id, _)| *id == operation)
        .unwrap_or_else(|| panic!("the operation `{operation}` is not in the table"));
    statuses[ROLES.iter().position(|known| *known == role).unwrap()]
}

/// A body that the operation accepts.
pub(crate) fn body_of(operation: &str) -> Option<Value> {
    Some(match operation {
        "set_up" => json!({
            "token": "wrong", "tenant": "new", "user_name": "ada", "password": "long enough, is it not",
        }),
        "start_flow" => json!({"transport": "token"}),
        "answer_flow" => json!({"provider": "password"}),
        "create_tenant" => json!({"name": "another"}),
        "update_tenant" => json!({"display_name": "Changed"}),
        "lock_tenant" | "lock_user" => json!({"reason": "for a test"}),
        "require_change" => json!({"reason": "administrator"}),
        "replace_settings" => json!({"session": {"idle_minutes": 17}}),
        "create_token" => json!({"application": "shop"}),
        "create_application" => json!({"name": "another", "audience": "another"}),
        "update_application" => json!({"origins": ["https://changed.example"]}),
        "create_user" => json!({"user_name": "newcomer"}),
        "make_user_link" => json!({"purpose": "invite", "delivery": "mail"}),
        "update_user" => json!({"display_name": "Changed"}),
        _ => return None,
    })
}

/// What the variables of a path are filled with.
#[derive(Clone)]
pub(crate) struct Fill {
    pub(crate) tenant: String,
    pub(crate) user: String,
    pub(crate) session: String,
    pub(crate) flow: String,
    pub(crate) application: String,
}

impl Fill {
    /// A path with its variables filled, but for those that a test fills itself.
    pub(crate) fn path(&self, template: &str) -> String {
        template
            .replace("{tenant}", &self.tenant)
            .replace("{user}", &self.user)
            .replace("{session}", &self.session)
            .replace("{flow}", &self.flow)
            .replace("{application}", &self.application)
            .replace("{grant}", "tenant_administrator")
    }
}

/// A town, and everybody's credentials in it.
pub(crate) struct Stage {
    pub(crate) town: Town,
    scoped: String,
    ended: String,
}

impl Stage {
    pub(crate) async fn new(world: &World) -> Self {
        let town = town(world).await;
        let ended = world.session(&town.mayor).await;
        let out = world.delete("/api/v1/session").bearer(&ended).send();
        out.await.expect(204);
        world.application(town.mayor.tenant, "shop").await;
        Self {
            scoped: world.scoped_session(&town.citizen).await,
            ended,
            town,
        }
    }

    pub(crate) fn token(&self, role: Role) -> Option<&str> {
        Some(match role {
            Role::Anonymous => return None,
            Role::User => &self.town.citizen_token,
            Role::Administrator => &self.town.mayor_token,
            Role::Stranger => &self.town.stranger_token,
            Role::Platform => &self.town.root_token,
            Role::Scoped => &self.scoped,
            Role::Ended => &self.ended,
        })
    }

    fn person(&self, role: Role) -> &Person {
        match role {
            Role::User | Role::Scoped => &self.town.citizen,
            Role::Anonymous | Role::Administrator | Role::Ended => &self.town.mayor,
            Role::Stranger => &self.town.stranger,
            Role::Platform => &self.town.root,
        }
    }

    /// The variables, for the user and session of one person.
    pub(crate) async fn fill(&self, world: &World, of: &Person) -> Fill {
        self.fill_for(world, of, "{session}{flow}{application}")
            .await
    }

    /// The same, where only what the path needs is made.
    async fn fill_for(&self, world: &World, of: &Person, path: &str) -> Fill {
        let nobody = || world.platform.environment().uuid().to_string();
        let session = match path.contains("{session}") {
            true => session_of(world, of).await.to_string(),
            false => nobody(),
        };
        let application = match path.contains("{application}") {
            true => {
                let name = world.platform.environment().uuid().to_string();
                let made = world.application(of.tenant, &format!("app {name}")).await;
                made.id.to_string()
            }
            false => nobody(),
        };
        if !path.contains("{flow}") {
            return Fill {
                tenant: of.tenant.to_string(),
                user: of.id.to_string(),
                session,
                flow: nobody(),
                application,
            };
        }
        let flow = world.begin(json!({"tenant": "home"})).await;
        let flow = flow["id"].as_str().unwrap().to_owned();
        Fill {
            tenant: of.tenant.to_string(),
            user: of.id.to_string(),
            session,
            flow,
            application,
        }
    }

    /// Asks for an operation as a role.
    pub(crate) async fn ask(
        &self,
        world: &World,
        operation: &crate::support::description::Operation,
        role: Role,
        fill: &Fill,
    ) -> Answer {
        let path = fill
            .path(&operation.path)
            .replace("{factor}", &world.platform.environment().uuid().to_string())
            .replace(
                "{identity}",
                &world.platform.environment().uuid().to_string(),
            )
            .replace("{device}", &world.platform.environment().uuid().to_string());
        assert!(!path.contains('{'), "a variable that no test fills: {path}");
        let path = match operation.id.as_str() {
            "delete_tenant" => format!("{path}?force=true"),
            _ => path,
        };
        let method: Method = operation.method.parse().unwrap();
        let mut call = world.call(method, path);
        if let Some(token) = self.token(role) {
            call = call.bearer(token);
        }
        if let Some(body) = body_of(&operation.id) {
            call = call.json(&body);
        }
        call.send().await
    }
}

/// A valid session of a person that is not needed otherwise.
async fn session_of(world: &World, person: &Person) -> SessionId {
    world.session(person).await;
    let sessions = world.platform.sessions();
    let (operator, page) = (Caller::operator(), Page::first(200));
    let listed = sessions.list(&operator, person.tenant, Some(person.id), true, page);
    listed.await.unwrap().items.last().unwrap().id
}

/// Everything that a refused request must leave as it was.
pub(crate) async fn everything_in(world: &World, tenants: &[TenantId]) -> Value {
    let operator = Caller::operator();
    let (platform, page) = (&world.platform, Page::first(200));
    let all = platform.tenants().list(&operator, None, page).await;
    let mut everything = json!({"tenants": all.unwrap().items});
    for tenant in tenants {
        let (own, version, _) = platform
            .tenants()
            .settings(&operator, *tenant)
            .await
            .unwrap();
        let users = platform.users();
        let listed = users.list(&operator, *tenant, None, Page::first(200)).await;
        let mut people = Vec::new();
        for user in listed.unwrap().items {
            let details = users.read(&operator, *tenant, user.id).await.unwrap();
            people.push(json!([details.user, details.grants]));
        }
        let (sessions, page) = (platform.sessions(), Page::first(200));
        let sessions = sessions.list(&operator, *tenant, None, false, page);
        let applications = platform.applications();
        let applications = applications.list(&operator, *tenant, Page::first(200));
        let applications = applications.await.unwrap().items;
        let (log, filter, page) = (platform.audit_log(), Default::default(), Page::first(200));
        let events = log.list(&operator, *tenant, &filter, page);
        everything[tenant.to_string()] = json!({
            "settings": [own, version],
            "users": people,
            "applications": applications,
            "sessions": sessions.await.unwrap().items,
            "audit": events.await.unwrap().items,
        });
    }
    everything
}

/// Whether an answer may have changed something, so that a new stage is needed.
/// What these flows come to changes nothing beside themselves.
fn changes(answer: &Answer) -> bool {
    let is_flow = answer.path.starts_with("/api/v1/sign-in/flows");
    answer.status.is_success() && answer.method != Method::GET && !is_flow
}

/// A world is used for one role; the storage's other kind costs a new one.
async fn fresh(world: &World) -> World {
    world.another_like_this().await
}

#[test]
fn s35_the_table_lists_every_operation_and_no_other() {
    let mut described: Vec<_> = operations().iter().map(|o| o.id.clone()).collect();
    let mut listed: Vec<_> = TABLE.iter().map(|(id, _)| (*id).to_owned()).collect();
    described.sort();
    listed.sort();
    assert_eq!(described, listed);
    for operation in operations() {
        let takes = operation.body.get("requestBody").is_some();
        assert_eq!(takes, body_of(&operation.id).is_some(), "{}", operation.id);
    }
}

/// v5.0.0-7.2.1, v5.0.0-8.2.1, v5.0.0-8.3.1.
async fn s34_every_route_answers_every_role_as_the_table_says(world: &World) {
    let mut world = fresh(world).await;
    let mut stage = Stage::new(&world).await;
    for operation in operations() {
        let ways: &[&str] = match operation.path.contains("{tenant}") {
            true => &["by id", "BY NAME"],
            false => &["by id"],
        };
        for role in ROLES {
            for way in ways {
                let subject = match operation.id.as_str() {
                    "end_own_session" => stage.person(role),
                    _ => &stage.town.citizen,
                };
                let mut fill = stage.fill_for(&world, subject, &operation.path).await;
                if *way == "BY NAME" {
                    // Names are compared without case.
                    fill.tenant = "HOME".to_owned();
                }
                let tenants = [stage.town.mayor.tenant];
                let before = everything_in(&world, &tenants).await;
                let answer = stage.ask(&world, operation, role, &fill).await;
                let what = format!("{} as {role:?} {way}: {answer}", operation.id);
                let expected = expected(&operation.id, role);
                assert_eq!(answer.status.as_u16(), expected, "{what}");
                if changes(&answer) {
                    world = fresh(&world).await;
                    stage = Stage::new(&world).await;
                } else {
                    assert_eq!(before, everything_in(&world, &tenants).await, "{what}");
                }
            }
        }
    }
}

/// Which tenant the path names, and whose user and session.
#[derive(Debug, Clone, Copy)]
enum Place {
    Own,
    Foreign,
    ForeignByName,
    Unknown,
    UnknownByName,
}

#[derive(Debug, Clone, Copy)]
enum Of {
    Home,
    Away,
    Nobody,
}

/// v5.0.0-8.2.2, v5.0.0-8.4.1.
async fn s35_an_id_of_another_tenant_is_not_found_and_changes_nothing(world: &World) {
    let world = fresh(world).await;
    let stage = Stage::new(&world).await;
    let (home, away) = (&stage.town.citizen, &stage.town.tourist);
    let tenants = [home.tenant, away.tenant];
    let home_fill = stage.fill(&world, home).await;
    let away_fill = stage.fill(&world, away).await;
    let random = world.platform.environment().uuid().to_string();
    let before = everything_in(&world, &tenants).await;
    for operation in operations() {
        if !operation.path.contains("{tenant}") {
            continue;
        }
        let ids = ["{user}", "{session}", "{application}"];
        let has_id = ids.iter().any(|id| operation.path.contains(id));
        for role in ROLES {
            for (place, of) in placements(has_id) {
                let mut fill = match of {
                    Of::Home => home_fill.clone(),
                    Of::Away => away_fill.clone(),
                    Of::Nobody => Fill {
                        user: random.clone(),
                        session: random.clone(),
                        application: random.clone(),
                        ..home_fill.clone()
                    },
                };
                fill.tenant = match place {
                    Place::Own => home.tenant.to_string(),
                    Place::Foreign => away.tenant.to_string(),
                    Place::ForeignByName => "away".to_owned(),
                    Place::Unknown => random.clone(),
                    Place::UnknownByName => "nowhere".to_owned(),
                };
                let Some(expected) = expected_elsewhere(&operation.id, role, place, of) else {
                    continue;
                };
                let answer = stage.ask(&world, operation, role, &fill).await;
                let what = format!("{} as {role:?} {place:?} {of:?}: {answer}", operation.id);
                assert_eq!(answer.status.as_u16(), expected, "{what}");
            }
            let after = everything_in(&world, &tenants).await;
            assert_eq!(before, after, "{} as {role:?}", operation.id);
        }
    }
}

fn placements(has_id: bool) -> Vec<(Place, Of)> {
    let tenants = [
        Place::Foreign,
        Place::ForeignByName,
        Place::Unknown,
        Place::UnknownByName,
    ];
    if !has_id {
        return tenants.map(|place| (place, Of::Home)).to_vec();
    }
    let mut all = vec![(Place::Own, Of::Away), (Place::Own, Of::Nobody)];
    for place in tenants {
        all.extend([Of::Home, Of::Away, Of::Nobody].map(|of| (place, of)));
    }
    all
}

/// What follows from the table where not everything lies in `home`; `None`
/// where the role may do it, which another test shows.
fn expected_elsewhere(operation: &str, role: Role, place: Place, of: Of) -> Option<u16> {
    let at_home = expected(operation, role);
    let allowed = at_home < 300;
    let has_id = !matches!(
        operation,
        "read_tenant"
            | "update_tenant"
            | "delete_tenant"
            | "lock_tenant"
            | "unlock_tenant"
            | "read_settings"
            | "replace_settings"
            | "list_rules"
            | "list_sessions"
            | "list_audit_events"
            | "list_applications"
            | "create_application"
            | "list_users"
            | "create_user"
    );
    let foreign = matches!(place, Place::Foreign | Place::ForeignByName);
    match role {
        Role::Anonymous | Role::Ended => Some(401),
        // A stranger's own tenant is the foreign one: as the administrator of `home` there.
        Role::Stranger if foreign => {
            let there = expected(operation, Role::Administrator);
            match there {
                200..300 if !has_id || matches!(of, Of::Away) => None,
                200..300 => Some(404),
                refused => Some(refused),
            }
        }
        Role::Platform if foreign => match of {
            Of::Away => None,
            _ if !has_id => None,
            _ => Some(404),
        },
        _ if matches!(place, Place::Own) && !allowed => Some(at_home),
        _ => Some(404),
    }
}

async fn s37_nobody_reaches_above_oneself(world: &World) {
    let town = town(world).await;
    let above = world.person("home", "above").await;
    world
        .grant(&above, gatelodge_core::model::Grant::PlatformAdministrator)
        .await;
    let session = session_of(world, &above).await;
    let path = above.path();
    let lock = json!({});
    let rename = json!({"display_name": "Nobody"});
    let calls = [
        world.patch(&path).json(&rename),
        world.patch(&path).json(&json!({"active": false})),
        world.delete(&path),
        world.put(format!("{path}/lock")).json(&lock),
        world.delete(format!("{path}/lock")),
        world.put(format!("{path}/grants/tenant_administrator")),
        world.delete(format!("{path}/grants/platform_administrator")),
        world.delete(format!("{path}/sessions")),
        world.delete(format!("/api/v1/tenants/home/sessions/{session}")),
        world.put(format!(
            "{}/grants/platform_administrator",
            town.mayor.path()
        )),
        world.put(format!(
            "{}/grants/platform_administrator",
            town.citizen.path()
        )),
    ];
    let before = everything_in(world, &[above.tenant]).await;
    for call in calls {
        let answer = call.bearer(&town.mayor_token).send().await;
        answer.expect_problem(403, "denied");
    }
    assert_eq!(before, everything_in(world, &[above.tenant]).await);
}
