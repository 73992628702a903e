//! Coming back from a third party.
//!
//! Each connection has one address, on the server's own host. From there a browser is
//! led on to where the cookie of its flow is: to a tenant's own host, to the same
//! address once more if it was made to send a form (no cookie comes with that), or to
//! the client that it belongs to. What it brought counts once.

use axum::{
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use gatelodge_core::{
    Error,
    engine::{Arrival, FlowView, Progress},
    model::ProviderId,
    service::TenantRef,
};

use super::{
    gate::{Gate, Given, is_of_host, lead_on, lost, step_address},
    problem::{PageProblem, problem_page},
    visit::{Answer, Fields, Visit, form_bytes, see_other, way_to},
};
use crate::{
    app::App,
    http::{
        cookies::DEVICE,
        flows::{handle_from, hold},
        guard::Client,
        problem::{Code, Problem},
    },
};

/// The most bytes that a third party may send a browser back with.
const MOST: usize = 32 * 1024;

/// Takes what a browser brings.
pub(super) async fn arrive(mut visit: Visit) -> Answer {
    if visit.is_prefetch() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let connection = connection(visit.part("connection"))?;
    let parameters = std::mem::take(&mut visit.query);
    let engine = visit.platform().sign_in();
    let (flow, parameters) = match parameters.secret("handle") {
        Some(handle) => engine
            .fetch_parked(&connection, handle)
            .await
            .map_err(over)?,
        // Third parties know the server's host alone.
        None if visit.requester.host_tenant.is_some() => {
            return Err(over(Error::not_found("sign-in")));
        }
        None => {
            let parameters = parameters.into_values();
            let client = visit.requester.client();
            let arrival = engine.arrive(&connection, &parameters, false, client);
            match arrival.await.map_err(over)? {
                Arrival::Here { flow } => (flow, parameters),
                Arrival::Elsewhere { address } => return Ok(see_other(&address)),
            }
        }
    };
    let handle = handle_from(&visit.cookies, &flow);
    if handle.binding.is_none() || !is_of_host(&visit, &handle).await {
        return Err(over(Error::not_found("sign-in")));
    }
    let device = visit.cookies.value(DEVICE).cloned();
    let client = visit.requester.client();
    let progress = engine.callback(&connection, &handle, parameters, client, device);
    let progress = progress.await.map_err(over)?;
    if let Some(view) = view_of(&progress) {
        visit.base = base(&visit, view).await?;
    }
    match progress {
        Progress::Refused { view, hold_until } => {
            hold(&visit.app, hold_until).await;
            let gate = Gate::of(view.intent);
            Ok(see_other(&step_address(&visit, gate, &view.id)))
        }
        Progress::Invalid { view, .. } => {
            let gate = Gate::of(view.intent);
            Ok(see_other(&step_address(&visit, gate, &view.id)))
        }
        progress => {
            let given = Given::of_link(&flow, connection.as_str());
            lead_on(&visit, &given, progress).await
        }
    }
}

/// Whoever only asks for the head wants to know whether something is there, and nothing
/// to be done.
pub(super) async fn look() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// A browser was made to send what it brings as a form (OAuth 2.0 Form Post Response
/// Mode). That comes from a page of the third party, so that cookies mean nothing
/// here; it is sent on, to come with them.
pub(super) async fn arrive_by_form(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    match read_and_park(&app, &name, request).await {
        Ok(address) => see_other(&address),
        Err(problem) => problem_page(&app, &problem, None),
    }
}

async fn read_and_park(app: &App, name: &str, request: Request) -> Result<String, Problem> {
    let gone = || Problem::new(Code::NotFound);
    let client = request.extensions().get::<Client>();
    let client = client.map(|client| client.0.clone()).unwrap_or_default();
    let connection = ProviderId::new(name).map_err(|_| gone())?;
    let body = form_bytes(request).await?;
    if body.len() > MOST {
        return Err(Problem::new(Code::PayloadTooLarge));
    }
    let fields = Fields::parse(&body).map_err(|_| Problem::new(Code::InvalidRequest))?;
    let parameters = fields.into_values();
    let engine = app.platform().sign_in();
    match engine
        .arrive(&connection, &parameters, true, &client)
        .await?
    {
        Arrival::Elsewhere { address } => Ok(address),
        Arrival::Here { .. } => Err(gone()),
    }
}

fn connection(name: &str) -> Result<ProviderId, PageProblem> {
    let id = ProviderId::new(name);
    id.map_err(|_| Problem::new(Code::NotFound).into())
}

/// Used before, expired, another browser's: begin anew.
fn over(error: Error) -> PageProblem {
    lost(Gate::SignIn, error)
}

fn view_of(progress: &Progress) -> Option<&FlowView> {
    match progress {
        Progress::Next { view, .. }
        | Progress::Refused { view, .. }
        | Progress::Invalid { view, .. } => Some(view),
        Progress::Complete(completed) => Some(&completed.view),
        Progress::Ended { .. } => None,
    }
}

/// The pages of the flow's tenant, as the browser had them before it left.
async fn base(visit: &Visit, view: &FlowView) -> Result<String, PageProblem> {
    let named = view.tenant.as_deref();
    let Some(name) = named.filter(|_| visit.requester.host_tenant.is_none()) else {
        return Ok(visit.base.clone());
    };
    let tenants = visit.platform().tenants();
    let found = tenants.find(&TenantRef::parse(name)).await?;
    let way = found.map(|tenant| way_to(&visit.app, &tenant));
    // A flow that was begun on the server's host stays there.
    Ok(way.filter(|way| way.starts_with('/')).unwrap_or_default())
}
