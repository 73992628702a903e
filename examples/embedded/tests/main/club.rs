//! The application with a club and people in it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Router;
use gatelodge_core::{
    access::Caller,
    model::{DisplayName, Grant, TenantId, TenantName, UserId, UserName},
    secret::Secret,
    service::{InitialCredential, NewTenant, NewUser},
};
use gatelodge_server::{
    Gatelodge,
    config::{self, Loaded, Overrides},
};
use tempfile::TempDir;

use crate::browser::{Browser, PASSWORD};

/// Nobody listens there: requests go through the router.
pub(crate) const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

pub(crate) struct Club {
    pub(crate) gatelodge: Gatelodge,
    pub(crate) router: Router,
    pub(crate) tenant: TenantId,
    folder: TempDir,
}

impl Club {
    /// With `ada`, who administers it, and `bob`, whose name would break out of a page that does not escape it.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gatelodge = Gatelodge::open(&loaded(&folder), ADDRESS).await.unwrap();
        gatelodge.platform().set_up().skip().await.unwrap();
        let tenant = tenant(&gatelodge).await;
        let ada = user(&gatelodge, tenant, "ada", "Ada Oar").await;
        user(&gatelodge, tenant, "bob", "Bob <b>Rudder</b>").await;
        gatelodge
            .platform()
            .users()
            .set_grant(
                &Caller::operator(),
                (tenant, ada),
                Grant::TenantAdministrator,
                true,
            )
            .await
            .unwrap();
        Self {
            router: gatelodge_example_embedded::router(&gatelodge).unwrap(),
            gatelodge,
            tenant,
            folder,
        }
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.router.clone())
    }

    pub(crate) async fn signed_in(&self, user: &str) -> Browser {
        let mut browser = self.browser();
        let page = browser.get("/t/oars/sign-in").await;
        browser.sign_in(&page, user).await;
        browser
    }

    /// Ends every session of somebody, as an administrator may.
    pub(crate) async fn revoke(&self, user: &str) {
        let platform = self.gatelodge.platform();
        let operator = Caller::operator();
        let page = gatelodge_core::storage::Page::first(10);
        let users = platform.users();
        let listed = users.list(&operator, self.tenant, None, page).await;
        let listed = listed.unwrap().items;
        let mut listed = listed.iter();
        let found = listed.find(|u| u.user_name.as_str() == user).unwrap();
        let sessions = platform.sessions();
        let ended = sessions.end_of_user(&operator, self.tenant, found.id);
        assert_eq!(ended.await.unwrap(), 1);
    }

    /// The folder, to open it again.
    pub(crate) fn loaded(&self) -> Loaded {
        loaded(&self.folder)
    }
}

/// The defaults, with the data in a folder; neither file nor environment.
fn loaded(folder: &TempDir) -> Loaded {
    let overrides = Overrides {
        data_dir: Some(folder.path().to_owned()),
        ..Overrides::default()
    };
    config::load(&overrides, std::iter::empty::<(String, String)>()).unwrap()
}

async fn tenant(gatelodge: &Gatelodge) -> TenantId {
    let new = NewTenant {
        name: TenantName::new("oars").unwrap(),
        display_name: Some(DisplayName::new("The Oars").unwrap()),
    };
    let tenants = gatelodge.platform().tenants();
    tenants.create(&Caller::operator(), new).await.unwrap().id
}

async fn user(gatelodge: &Gatelodge, tenant: TenantId, name: &str, display_name: &str) -> UserId {
    let new = NewUser {
        user_name: UserName::new(name).unwrap(),
        display_name: Some(DisplayName::new(display_name).unwrap()),
        email: None,
        credential: InitialCredential::Given {
            password: Secret::new(PASSWORD),
            must_change: false,
        },
    };
    let users = gatelodge.platform().users();
    let created = users.create(&Caller::operator(), tenant, new).await;
    created.unwrap().0.id
}
