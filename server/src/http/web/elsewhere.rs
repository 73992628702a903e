//! From one's own account to the one in another organisation, without signing in again.

use axum::response::IntoResponse as _;
use gatelodge_core::{
    engine::{Progress, SwitchTenant, Switched},
    service::TenantRef,
};

use super::{
    gate::{Gate, step_address},
    problem::PageProblem,
    visit::{Answer, Visit, see_other, way_to, with_parameter},
};
use crate::{
    http::{
        cookies::DEVICE,
        flows::{bind, hand_over},
        problem::{Code, Problem},
    },
    pages::views::{ElsewhereRow, Link, TenantLabel},
};

/// The other organisations, each with its way there.
pub(super) async fn rows(visit: &Visit) -> Result<Vec<ElsewhereRow>, PageProblem> {
    let accounts = visit.platform().accounts();
    let others = accounts.elsewhere(visit.caller()).await?;
    let mut rows = Vec::new();
    for other in others {
        let own = visit.app.policy().origins().own(&other.name);
        let own = own.map(|own| own.origin().ascii_serialization());
        // A session is a cookie of its host: on another one the sign-in makes it anew.
        let elsewhere = own.is_some() || visit.requester.host_tenant.is_some();
        let label = visit.t("account.elsewhere.switch")?;
        let way = match elsewhere {
            true => {
                let base = own.unwrap_or_else(|| visit.app.policy().links_base());
                Some(Link::new(format!("{base}/sign-in"), label.clone()))
            }
            false => None,
        };
        let tenant = other.id.to_string();
        rows.push(ElsewhereRow {
            tenant: TenantLabel::new(other.name.as_str(), other.display_name.as_str()),
            post: match elsewhere {
                true => None,
                false => Some(visit.post("/account/switch").hidden("tenant", tenant)),
            },
            way,
            label,
        });
    }
    Ok(rows)
}

/// Goes there.
pub(super) async fn switch(visit: Visit) -> Answer {
    let named = visit.fields.filled("tenant");
    let named = named.ok_or_else(|| Problem::new(Code::InvalidRequest))?;
    let wish = SwitchTenant {
        session: visit.session()?.clone(),
        tenant: TenantRef::parse(named),
        return_to: None,
        device: visit.cookies.value(DEVICE).cloned(),
    };
    let client = visit.requester.client();
    let engine = visit.platform().sign_in();
    let Switched { handle, progress } = engine.switch(wish, client).await?;
    let (app, cookies) = (&visit.app, &visit.cookies);
    match *progress {
        Progress::Complete(completed) => {
            let address = format!("{}/account", way_to(app, &completed.tenant));
            let jar = hand_over(app, &visit.requester, cookies, &handle.id, &completed).await;
            let mut response = see_other(&address);
            jar.onto(response.headers_mut());
            Ok(response)
        }
        Progress::Next { view, .. } => {
            let mut jar = cookies.jar();
            if let Some(binding) = &handle.binding {
                bind(&mut jar, cookies, &handle.id, binding);
            }
            let mut response = see_other(&step_address(&visit, Gate::of(view.intent), &handle.id));
            jar.onto(response.headers_mut());
            Ok(response)
        }
        Progress::Refused { .. } | Progress::Invalid { .. } | Progress::Ended { .. } => {
            let address = with_parameter(&visit.at("/sign-in"), "again", "1");
            Ok(see_other(&address).into_response())
        }
    }
}
