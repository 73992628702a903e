//! The console: tenants and users, as far as the viewer may see and change
//! them. Every page asks the services, which ask the decision engine; what a
//! page leaves out because the viewer may not is a courtesy, no protection.

mod lock;
mod second_factor;
mod tenant;
mod tenant_delete;
mod tenants;
mod user;
mod user_changes;
mod user_confirm;
mod users;
mod ways;

use axum::routing::{MethodRouter, get, post};
use gatelodge_core::{
    access::{Resource, action},
    model::Tenant,
    service::TenantRef,
};

use super::{
    forms::Rejected,
    frame::Nav,
    problem::PageProblem,
    visit::{Answer, Visit, change, open, see_other, with_parameter},
};
use crate::{
    app::App,
    http::extract::Paging,
    pages::views::{FormCard, Search},
};

/// Rows on one page of a list.
const ROWS: u32 = 50;

pub(super) fn pages() -> Vec<(&'static str, MethodRouter<App>)> {
    let mut pages = tenant_pages();
    pages.extend(user_pages());
    pages
}

fn tenant_pages() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/console", get(open(home))),
        (
            "/console/tenants",
            get(open(tenants::show)).post(change(tenants::create)),
        ),
        (
            "/console/tenants/{t}",
            get(open(tenant::show)).post(change(tenant::rename)),
        ),
        ("/console/tenants/{t}/lock", post(change(tenant::lock))),
        ("/console/tenants/{t}/unlock", post(change(tenant::unlock))),
        (
            "/console/tenants/{t}/settings",
            post(change(tenant::settings)),
        ),
        (
            "/console/tenants/{t}/second-factor",
            post(change(second_factor::store)),
        ),
        ("/console/tenants/{t}/ways", post(change(ways::store))),
        (
            "/console/tenants/{t}/delete",
            get(open(tenant_delete::ask)).post(change(tenant_delete::delete)),
        ),
    ]
}

fn user_pages() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        (
            "/console/tenants/{t}/users",
            get(open(users::show)).post(change(users::create)),
        ),
        (
            "/console/tenants/{t}/users/{u}",
            get(open(user::show)).post(change(user_changes::update)),
        ),
        (
            "/console/tenants/{t}/users/{u}/lock",
            post(change(user_changes::lock)),
        ),
        (
            "/console/tenants/{t}/users/{u}/unlock",
            post(change(user_changes::unlock)),
        ),
        (
            "/console/tenants/{t}/users/{u}/grants",
            post(change(user_changes::grants)),
        ),
        (
            "/console/tenants/{t}/users/{u}/require-change",
            post(change(user_changes::require_change)),
        ),
        (
            "/console/tenants/{t}/users/{u}/activate",
            post(change(user_changes::activate)),
        ),
        (
            "/console/tenants/{t}/users/{u}/sessions/end",
            post(change(user_changes::end_session)),
        ),
        (
            "/console/tenants/{t}/users/{u}/link",
            post(change(user_changes::send_link)),
        ),
        (
            "/console/tenants/{t}/users/{u}/factors/remove",
            get(open(user_confirm::ask_remove_factor)).post(change(user_changes::remove_factor)),
        ),
        (
            "/console/tenants/{t}/users/{u}/devices/forget",
            post(change(user_changes::forget_device)),
        ),
        (
            "/console/tenants/{t}/users/{u}/sessions/end-all",
            post(change(user_changes::end_all_sessions)),
        ),
        (
            "/console/tenants/{t}/users/{u}/deactivate",
            get(open(user_confirm::ask_deactivate)).post(change(user_confirm::deactivate)),
        ),
        (
            "/console/tenants/{t}/users/{u}/delete",
            get(open(user_confirm::ask_delete)).post(change(user_confirm::delete)),
        ),
    ]
}

/// The users of the own tenant.
async fn home(visit: Visit) -> Answer {
    let own = visit.session()?.tenant.id;
    let platform = visit.platform();
    platform.authorise(visit.caller(), action::USER_LIST, &Resource::tenant(own))?;
    Ok(see_other(
        &visit.at(&format!("/console/tenants/{own}/users")),
    ))
}

/// A form that comes back, by the id of its card.
type Redo = Option<(&'static str, Rejected)>;

/// Puts what was refused back into the card that it was about.
fn redo(visit: &Visit, redo: &Redo, card: &mut FormCard) -> Result<(), PageProblem> {
    match redo {
        Some((id, rejected)) if *id == card.id => rejected.onto(visit, card),
        _ => Ok(()),
    }
}

impl Visit {
    /// The tenant that the console's path names, as far as the caller may know of it.
    async fn console_tenant(&self) -> Result<Tenant, PageProblem> {
        let named = TenantRef::parse(self.part("t"));
        let tenants = self.platform().tenants();
        Ok(tenants.resolve(self.caller(), &named).await?)
    }

    /// Whether a tenant is the viewer's own.
    fn is_own(&self, tenant: &Tenant) -> bool {
        let session = self.requester.session.as_ref();
        session.is_some_and(|session| session.tenant.id == tenant.id)
    }

    /// Where in the navigation a tenant's users are.
    fn users_nav(&self, tenant: &Tenant) -> Nav {
        if self.is_own(tenant) {
            Nav::Users
        } else {
            Nav::Tenants
        }
    }

    /// Which piece of a list is asked for.
    fn paging(&self) -> Paging {
        Paging {
            limit: Some(ROWS),
            cursor: self.query.filled("cursor").map(str::to_owned),
        }
    }

    /// The search field over the list at `path`.
    fn search(&self, path: &str) -> Search {
        Search {
            action: self.at(path),
            query: self.query.text("q").unwrap_or_default().to_owned(),
        }
    }

    /// The address of a list's piece, with the present search.
    fn piece(&self, path: &str, cursor: Option<&str>) -> String {
        let mut address = self.at(path);
        if let Some(query) = self.query.filled("q") {
            address = with_parameter(&address, "q", query);
        }
        match cursor {
            Some(cursor) => with_parameter(&address, "cursor", cursor),
            None => address,
        }
    }
}

/// The path of a tenant's page.
fn tenant_path(tenant: &Tenant) -> String {
    format!("/console/tenants/{}", tenant.id)
}
