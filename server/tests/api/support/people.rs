use std::collections::BTreeMap;

use gatelodge_core::{
    access::Caller,
    engine::{Progress, Reply, ReplyAnswer, StartFlow, Transport},
    model::{
        Application, ApplicationName, Audience, ClientFacts, Email, Grant, ReturnAddress, TenantId,
        TenantName, TenantSettings, UserId, UserName, WebOrigin,
    },
    secret::Secret,
    service::{InitialCredential, NewApplication, NewLock, NewTenant, NewUser},
};
use serde_json::{Value, json};

use super::{Answer, PASSWORD, World};

/// A user.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) tenant: TenantId,
    pub(crate) tenant_name: String,
    pub(crate) id: UserId,
    pub(crate) name: String,
}

impl Person {
    /// The address of the user in the API.
    pub(crate) fn path(&self) -> String {
        format!("/api/v1/tenants/{}/users/{}", self.tenant, self.id)
    }
}

/// Two tenants with an administrator and a user each, a third one with the
/// administrator of the platform; and a session of everybody.
pub(crate) struct Town {
    pub(crate) root: Person,
    pub(crate) root_token: String,
    pub(crate) mayor: Person,
    pub(crate) mayor_token: String,
    pub(crate) citizen: Person,
    pub(crate) citizen_token: String,
    pub(crate) stranger: Person,
    pub(crate) stranger_token: String,
    pub(crate) tourist: Person,
    pub(crate) tourist_token: String,
}

/// Makes a [`Town`]: `lodge` with `root`, `home` with `mayor` and `citizen`,
/// `away` with `stranger` (an administrator) and `tourist`.
pub(crate) async fn town(world: &World) -> Town {
    for name in ["lodge", "home", "away"] {
        world.tenant(name).await;
    }
    let root = world.person("lodge", "root").await;
    world.grant(&root, Grant::PlatformAdministrator).await;
    let mayor = world.person("home", "mayor").await;
    world.grant(&mayor, Grant::TenantAdministrator).await;
    let citizen = world.person("home", "citizen").await;
    let stranger = world.person("away", "stranger").await;
    world.grant(&stranger, Grant::TenantAdministrator).await;
    let tourist = world.person("away", "tourist").await;
    Town {
        root_token: world.session(&root).await,
        mayor_token: world.session(&mayor).await,
        citizen_token: world.session(&citizen).await,
        stranger_token: world.session(&stranger).await,
        tourist_token: world.session(&tourist).await,
        root,
        mayor,
        citizen,
        stranger,
        tourist,
    }
}

impl World {
    pub(crate) async fn tenant(&self, name: &str) -> TenantId {
        let new = NewTenant {
            name: TenantName::new(name).unwrap(),
            display_name: None,
        };
        let tenants = self.platform.tenants();
        tenants.create(&Caller::operator(), new).await.unwrap().id
    }

    /// A user without a password.
    pub(crate) async fn person(&self, tenant: &str, name: &str) -> Person {
        self.make(tenant, name, InitialCredential::None).await
    }

    /// A user who signs in with [`PASSWORD`].
    pub(crate) async fn person_with_password(&self, tenant: &str, name: &str) -> Person {
        self.make(tenant, name, given(PASSWORD, false)).await
    }

    pub(crate) async fn make(
        &self,
        tenant: &str,
        name: &str,
        credential: InitialCredential,
    ) -> Person {
        let place = gatelodge_core::service::TenantRef::parse(tenant);
        let place = self.platform.tenants().find(&place).await.unwrap().unwrap();
        let new = NewUser {
            user_name: UserName::new(name).unwrap(),
            display_name: None,
            email: Email::new(&format!("{name}@example.com")).ok(),
            credential,
        };
        let users = self.platform.users();
        let made = users.create(&Caller::operator(), place.id, new).await;
        Person {
            tenant: place.id,
            tenant_name: place.name.to_string(),
            id: made.unwrap().0.id,
            name: name.to_owned(),
        }
    }

    /// An application whose audience is its name, where that can be one.
    pub(crate) async fn application(&self, tenant: TenantId, name: &str) -> Application {
        let name = name.replace(' ', "-");
        let short: String = name.chars().take(50).collect();
        let new = NewApplication {
            name: ApplicationName::new(&short).unwrap(),
            audience: Audience::new(&name).unwrap(),
            origins: vec![WebOrigin::new("https://app.example.org").unwrap()],
            return_to: vec![ReturnAddress::new("https://app.example.org/back").unwrap()],
        };
        let applications = self.platform.applications();
        let operator = Caller::operator();
        applications.create(&operator, tenant, new).await.unwrap()
    }

    pub(crate) async fn grant(&self, person: &Person, grant: Grant) {
        let users = self.platform.users();
        let place = (person.tenant, person.id);
        let operator = Caller::operator();
        let given = users.set_grant(&operator, place, grant, true);
        given.await.unwrap();
    }

    pub(crate) async fn lock(&self, person: &Person) {
        let users = self.platform.users();
        let place = (person.tenant, person.id);
        let operator = Caller::operator();
        let locked = users.lock(&operator, place, NewLock::default());
        locked.await.unwrap();
    }

    pub(crate) async fn lock_tenant(&self, tenant: TenantId) {
        let tenants = self.platform.tenants();
        let operator = Caller::operator();
        let locked = tenants.lock(&operator, tenant, NewLock::default());
        locked.await.unwrap();
    }

    pub(crate) async fn put_settings(&self, tenant: TenantId, settings: TenantSettings) {
        let tenants = self.platform.tenants();
        let operator = Caller::operator();
        let put = tenants.put_settings(&operator, tenant, None, settings);
        put.await.unwrap();
    }

    /// A session that costs no password.
    pub(crate) async fn session(&self, person: &Person) -> String {
        self.session_by(&format!("{} {}", person.tenant, person.id))
            .await
    }

    /// A session that is limited to a purpose.
    pub(crate) async fn scoped_session(&self, person: &Person) -> String {
        let ticket = format!("{} {} set_password", person.tenant, person.id);
        self.session_by(&ticket).await
    }

    async fn session_by(&self, ticket: &str) -> String {
        let sign_in = self.issuer.sign_in();
        let client = ClientFacts::default();
        let start = StartFlow::sign_in(Transport::Token);
        let started = sign_in.start(start, &client).await.unwrap();
        let values = BTreeMap::from([("ticket".to_owned(), Secret::new(ticket))]);
        let reply = Reply {
            step: None,
            provider: "ticket".to_owned(),
            answer: ReplyAnswer::Fields(values),
            device: None,
            stay: false,
        };
        match sign_in.answer(&started.handle, reply, &client).await {
            Ok(Progress::Complete(completed)) => completed.token.expose().to_owned(),
            other => panic!("no session: {other:?}"),
        }
    }

    /// Begins a flow with the token transport; answers it.
    pub(crate) async fn begin(&self, more: Value) -> Value {
        let mut body = json!({"transport": "token"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let call = self.post("/api/v1/sign-in/flows").json(&body);
        call.send().await.expect(201).json()
    }

    /// Answers a flow of the token transport with the password's form.
    pub(crate) async fn enter(&self, flow: &Value, user_name: &str, password: &str) -> Answer {
        let body = json!({
            "provider": "password",
            "answer": {"user_name": user_name, "password": password},
        });
        self.post(flow_path(flow)).json(&body).send().await
    }

    /// Signs in over HTTP with the token transport.
    pub(crate) async fn sign_in(&self, person: &Person, password: &str) -> Answer {
        let flow = self.begin(json!({"tenant": person.tenant_name})).await;
        self.enter(&flow, &person.name, password).await
    }

    /// The session token after a sign-in over HTTP.
    pub(crate) async fn token(&self, person: &Person, password: &str) -> String {
        let answer = self.sign_in(person, password).await.expect(200);
        let token = answer.json()["session"]["token"].clone();
        token.as_str().unwrap().to_owned()
    }

    /// Whether a session token is accepted.
    pub(crate) async fn accepts(&self, token: &str) -> bool {
        let answer = self.get("/api/v1/session").bearer(token).send().await;
        match answer.status.as_u16() {
            200 => true,
            401 => false,
            _ => panic!("{answer}"),
        }
    }
}

pub(crate) fn flow_path(flow: &Value) -> String {
    format!("/api/v1/sign-in/flows/{}", flow["id"].as_str().unwrap())
}

pub(crate) fn given(password: &str, must_change: bool) -> InitialCredential {
    InitialCredential::Given {
        password: Secret::new(password),
        must_change,
    }
}
