//! What surrounds the content of a page: who is signed in, where one can go.

use gatelodge_core::access::{Resource, action};

use super::{problem::PageProblem, visit::Visit, words};
use crate::pages::views::{Frame, NavItem, Notice, TenantLabel, Time, Viewer};

/// Where in the main navigation a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nav {
    Nowhere,
    Account,
    Users,
    Tenants,
}

/// What a page may say about the change that led to it. A closed list: the
/// address only names one of these.
const NOTICES: [&str; 22] = [
    "activated",
    "address_verified",
    "change_required",
    "credential_changed",
    "deactivated",
    "deleted",
    "device_forgotten",
    "factor_removed",
    "grants_changed",
    "identity_linked",
    "link_sent",
    "locked",
    "own_factor_removed",
    "saved",
    "session_ended",
    "sessions_ended",
    "set_up",
    "tenant_created",
    "tenant_deleted",
    "unlocked",
    "user_created",
    "user_invited",
];

impl Visit {
    /// The frame of a page for people who are not signed in, or not sure to be.
    pub(super) fn gate_frame(&self) -> Frame {
        Frame {
            home: self.at("/"),
            ..Frame::default()
        }
    }

    /// The frame of a page for signed-in people.
    pub(super) fn frame(&self, current: Nav) -> Result<Frame, PageProblem> {
        let session = self.session()?;
        let own = session.tenant.id;
        let mut nav = vec![self.nav_item("frame.account", "/account", current == Nav::Account)?];
        if self.may(action::USER_LIST, &Resource::tenant(own)) {
            let users = format!("/console/tenants/{own}/users");
            nav.push(self.nav_item("frame.users", &users, current == Nav::Users)?);
        }
        if self.may(action::TENANT_LIST, &Resource::tenant(own)) {
            let here = current == Nav::Tenants;
            nav.push(self.nav_item("frame.tenants", "/console/tenants", here)?);
        }
        Ok(Frame {
            nav,
            viewer: Some(Viewer {
                display_name: session.user.display_name.to_string(),
                tenant: session.tenant.display_name.to_string(),
                account_href: self.at("/account"),
                sign_out: self.post("/sign-out"),
            }),
            ..self.gate_frame()
        })
    }

    fn nav_item(&self, key: &str, path: &str, current: bool) -> Result<NavItem, PageProblem> {
        Ok(NavItem {
            label: self.t(key)?,
            href: self.at(path),
            current,
        })
    }

    /// Whether the caller may do this; what is called in the end asks again.
    pub(super) fn may(&self, action: &str, resource: &Resource) -> bool {
        self.platform().may(self.caller(), action, resource)
    }

    /// The word about the last change, if the address names one.
    pub(super) fn notice(&self) -> Result<Option<Notice>, PageProblem> {
        let named = self.query.text("notice").unwrap_or_default();
        match NOTICES.iter().find(|known| **known == named) {
            Some(name) => Ok(Some(Notice::success(self.t(&format!("notice.{name}"))?))),
            None => Ok(None),
        }
    }

    /// A moment in words.
    pub(super) fn time(&self, at: jiff::Timestamp) -> Result<Time, PageProblem> {
        Ok(words::moment(
            self.app.renderer(),
            self.platform().now(),
            at,
        )?)
    }
}

/// How a tenant is called.
pub(super) fn label(tenant: &gatelodge_core::model::Tenant) -> TenantLabel {
    TenantLabel::new(tenant.name.as_str(), tenant.display_name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::{PageOptions, Renderer};

    #[test]
    fn every_notice_has_its_words() {
        let renderer = Renderer::new(PageOptions::default()).unwrap();
        for name in NOTICES {
            assert!(
                renderer.text(&format!("notice.{name}"), &[]).is_ok(),
                "{name}"
            );
        }
    }
}
