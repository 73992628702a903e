//! Where a sign-in leads: for which application it is, and to which page the
//! person goes in the end.

use axum::{
    http::{HeaderMap, header},
    response::Response,
};
use gatelodge_core::{
    Error,
    engine::{FlowView, StartFlow, local_path},
    model::Application,
    service::{ApplicationRef, TenantRef},
};

use super::{
    enter,
    gate::Gate,
    problem::PageProblem,
    visit::{Visit, see_other, way_to, with_parameter},
};
use crate::http::guard;

/// What the address of a sign-in page says of it.
pub(super) struct Destination {
    application: Option<Application>,
    wished: Option<String>,
}

impl Destination {
    /// Reads the parameters `application` and `return_to`.
    pub(super) async fn read(visit: &Visit) -> Result<Self, PageProblem> {
        let application = match visit.query.filled("application") {
            None => None,
            Some(named) => Some(application(visit, named).await?),
        };
        Ok(Self {
            application,
            wished: visit.query.filled("return_to").map(str::to_owned),
        })
    }

    /// The same page in the application's tenant, if this is none of its pages:
    /// there the browser's session in that tenant counts.
    pub(super) async fn in_its_tenant(
        &self,
        visit: &Visit,
        gate: Gate,
    ) -> Result<Option<Response>, PageProblem> {
        let Some(application) = self.application.as_ref().filter(|_| visit.tenant.is_none()) else {
            return Ok(None);
        };
        let tenants = visit.platform().tenants();
        let tenant = tenants.find(&TenantRef::Id(application.tenant)).await?;
        let tenant = tenant.ok_or_else(|| Error::not_found("application"))?;
        let address = format!("{}{}", way_to(&visit.app, &tenant), gate.path());
        let mut address = with_parameter(&address, "application", &application.id.to_string());
        for name in ["return_to", "again"] {
            if let Some(value) = visit.query.filled(name) {
                address = with_parameter(&address, name, value);
            }
        }
        Ok(Some(see_other(&address)))
    }

    /// The page to go to, if the person may be sent there.
    pub(super) fn address(&self) -> Option<String> {
        let wished = self.wished.as_deref()?;
        let application = self.application.as_ref();
        if application.is_some_and(|application| application.returns_to(wished)) {
            return Some(wished.to_owned());
        }
        local_path(wished).ok()
    }

    /// Whether a flow leads there.
    pub(super) fn is_that_of(&self, flow: &FlowView) -> bool {
        let application = self.application.as_ref().map(|application| application.id);
        flow.application == application
            && flow.return_to == self.address()
            && flow.return_to.is_some() == self.wished.is_some()
    }

    /// The application, if it is for one.
    pub(super) fn application(&self) -> Option<ApplicationRef> {
        let application = self.application.as_ref();
        application.map(|application| ApplicationRef::Id(application.id))
    }

    /// A flow that leads there.
    pub(super) fn of(self, start: StartFlow) -> StartFlow {
        StartFlow {
            application: self.application(),
            return_to: self.wished,
            ..start
        }
    }
}

/// The application of an address; one of another tenant is not there.
async fn application(visit: &Visit, named: &str) -> Result<Application, PageProblem> {
    let missing = || Error::not_found("application");
    let named = ApplicationRef::parse(named).ok_or_else(missing)?;
    let found = visit.platform().applications().find(&named).await?;
    let own = |application: &Application| {
        let tenant = visit.tenant.as_ref().map(|tenant| tenant.id);
        tenant.is_none_or(|tenant| tenant == application.tenant)
    };
    Ok(found.filter(own).ok_or_else(missing)?)
}

/// Lets the forms of a page end where the flow ends: browsers hold the policy
/// against the redirects after a form, too.
pub(super) async fn let_forms_lead_on(
    visit: &Visit,
    flow: &FlowView,
    headers: &mut HeaderMap,
) -> Result<(), PageProblem> {
    let elsewhere = match flow.return_to.as_deref() {
        Some(path) if path.starts_with('/') => enter::leads_to(visit, flow, path).await?,
        Some(address) => url::Url::parse(address)
            .ok()
            .map(|url| url.origin().ascii_serialization()),
        None => None,
    };
    let policy = elsewhere.and_then(|origin| guard::policy_with_forms_to(&origin));
    if let Some(policy) = policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(())
}
