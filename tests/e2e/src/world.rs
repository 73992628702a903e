//! A server that was set up, with an administrator, tenants and users.

use serde_json::json;

use crate::{
    api::Api,
    browser::Browser,
    place::{Finished, Place},
    server::Server,
    storage::Storage,
    visitor::Visitor,
};

/// The tenant of the first administrator.
pub const HOME: &str = "lodge";
/// The first administrator.
pub const ADMINISTRATOR: &str = "keeper";
/// The first administrator's password.
pub const ADMINISTRATORS_PASSWORD: &str = "canary: sings at the gate before noon";

/// As much as the server can say: what is not logged at this level is never logged.
pub const TALKATIVE: &str = "[log]\nfilter = \"debug,gatelodge_core=trace,gatelodge_server=trace,gatelodge_storage_sql=trace,\
     gatelodge_storage_sqlite=trace,gatelodge_storage_postgres=trace,gatelodge_provider_oidc=trace,\
     gatelodge_provider_password=trace\"\n";

/// A server that was set up.
#[derive(Debug)]
pub struct World {
    /// The server.
    pub server: Server,
    /// The folder it works in.
    pub place: Place,
    /// The administrator, as a program.
    pub administrator: Api,
}

impl World {
    /// One with a talkative log and nothing else configured.
    pub async fn new() -> Self {
        Self::with_config("").await
    }

    /// One with this configuration beside the talkative log.
    pub async fn with_config(text: &str) -> Self {
        Self::of(Place::with_config(&format!("{TALKATIVE}{text}"))).await
    }

    /// The same on a storage that the test chooses.
    pub async fn on(storage: Storage, text: &str) -> Self {
        Self::of(Place::on(storage).configured(&format!("{TALKATIVE}{text}"))).await
    }

    /// A first start in this place, and the set-up.
    pub async fn of(place: Place) -> Self {
        let server = place.serve().await;
        place.secrets().keep(ADMINISTRATORS_PASSWORD);
        let nobody = Api::new(&server);
        let set_up = json!({
            "token": server.set_up_token(),
            "tenant": HOME,
            "user_name": ADMINISTRATOR,
            "password": ADMINISTRATORS_PASSWORD,
        });
        nobody.post("/api/v1/setup", set_up).await.expect(201);
        let administrator = nobody
            .sign_in(HOME, ADMINISTRATOR, ADMINISTRATORS_PASSWORD)
            .await;
        Self {
            server,
            place,
            administrator,
        }
    }

    /// Makes a tenant.
    pub async fn tenant(&self, name: &str) {
        let new = json!({ "name": name });
        self.administrator
            .post("/api/v1/tenants", new)
            .await
            .expect(201);
    }

    /// Makes a user with a password that needs no change; answers the password.
    pub async fn user(&self, tenant: &str, name: &str) -> String {
        let password = format!("canary: <{name}> & \"{tenant}\" sings softly");
        self.place.secrets().keep(&password);
        let new = json!({
            "user_name": name,
            "password": password,
            "must_change_password": false,
        });
        let path = format!("/api/v1/tenants/{tenant}/users");
        self.administrator.post(&path, new).await.expect(201);
        password
    }

    /// Lets people register themselves in a tenant.
    pub async fn open_registration(&self, tenant: &str) {
        let settings = json!({ "registration": { "enabled": true } });
        let path = format!("/api/v1/tenants/{tenant}/settings");
        self.administrator.put(&path, settings).await.expect(200);
    }

    /// Runs a command on the same data.
    pub async fn run(&self, arguments: &[&str]) -> Finished {
        self.place.run(arguments).await
    }

    /// A fresh browser without scripts.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(&self.server)
    }

    /// A program that is nobody.
    pub fn nobody(&self) -> Api {
        Api::new(&self.server)
    }

    /// A fresh Chromium.
    pub async fn browser(&self) -> Browser {
        Browser::open(&self.server).await
    }

    /// Starts the server again on the same data after `end` has ended it.
    pub async fn restarted(self, end: impl AsyncFnOnce(Server)) -> Self {
        end(self.server).await;
        let server = self.place.serve().await;
        Self {
            administrator: self.administrator.at(&server),
            server,
            place: self.place,
        }
    }
}
