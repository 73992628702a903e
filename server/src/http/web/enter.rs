//! The way into an application on another host: the page of ours that a browser
//! passes with its session, and the two addresses that the application's proxy
//! passes on to us.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_core::{
    engine::FlowView,
    model::{Application, Tenant},
    secret::{Token, TokenHash},
    service::{ApplicationRef, Entry, TenantRef},
};

use super::{
    problem::{PageProblem, problem_page},
    visit::{Answer, Fields, Visit, address_of, see_other, with_parameter},
};
use crate::{
    app::App,
    http::{
        entry::{BROWSER, ON_OTHER_HOSTS, PASS, Proxied},
        problem::{Code, Problem},
    },
};

/// The longest page address that is carried along.
const MOST_PATH: usize = 1_000;

/// The page that a browser passes with its session on the way in.
pub(crate) fn entry_address(
    app: &App,
    tenant: &Tenant,
    application: &Application,
    proxied: &Proxied,
    browser: &TokenHash,
) -> String {
    // Of a longer address, the start: the way through the sign-in carries it along.
    let path = proxied.path.as_str();
    let asked = Asked {
        application: ApplicationRef::Id(application.id),
        origin: proxied.origin.clone(),
        path: if path.len() <= MOST_PATH { path } else { "/" }.to_owned(),
        browser: *browser,
    };
    asked.address(&address_of(app, tenant))
}

/// What the address of the page says.
struct Asked {
    application: ApplicationRef,
    origin: String,
    path: String,
    browser: TokenHash,
}

impl Asked {
    fn read(visit: &Visit) -> Option<Self> {
        let browser = URL_SAFE_NO_PAD.decode(visit.query.filled("browser")?);
        Some(Self {
            application: ApplicationRef::parse(visit.query.filled("application")?)?,
            origin: visit.query.filled("origin")?.to_owned(),
            path: visit.query.filled("path").unwrap_or("/").to_owned(),
            browser: TokenHash::from_bytes(browser.ok()?.try_into().ok()?),
        })
    }

    fn application(&self) -> String {
        match &self.application {
            ApplicationRef::Id(id) => id.to_string(),
            ApplicationRef::Audience(audience) => audience.to_string(),
        }
    }

    fn address(&self, base: &str) -> String {
        let browser = URL_SAFE_NO_PAD.encode(self.browser.as_bytes());
        [
            ("application", self.application().as_str()),
            ("origin", &self.origin),
            ("browser", &browser),
            ("path", &self.path),
        ]
        .into_iter()
        .fold(format!("{base}/enter"), |address, (name, value)| {
            with_parameter(&address, name, value)
        })
    }
}

/// Makes the code and leads back to the application with it. Who is not signed in
/// does so first, and comes back here.
pub(super) async fn enter(visit: Visit) -> Answer {
    if visit.is_prefetch() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let Some(asked) = Asked::read(&visit) else {
        return Err(no_way_in(&visit)?);
    };
    let Some(session) = &visit.requester.session else {
        return Ok(sign_in_first(&visit, &asked));
    };
    let applications = visit.platform().applications();
    let found = applications.find(&asked.application).await?;
    let application = found.ok_or_else(|| Problem::new(Code::NotFound))?;
    let entry = Entry {
        application: &application,
        origin: &asked.origin,
        path: &asked.path,
        browser: &asked.browser,
    };
    let entries = visit.platform().entries();
    let code = entries.begin(visit.caller(), session, entry).await?;
    let address = format!("{}{ON_OTHER_HOSTS}accept", asked.origin);
    Ok(see_other(&with_parameter(&address, "code", code.expose())))
}

/// The sign-in for the application, which leads back here.
fn sign_in_first(visit: &Visit, asked: &Asked) -> Response {
    let address = with_parameter(&visit.at("/sign-in"), "application", &asked.application());
    let here = asked.address(&visit.base);
    see_other(&with_parameter(&address, "return_to", &here))
}

/// The origin to which a flow leads by the page `/enter`, if it is one of the
/// application that the flow is for.
pub(super) async fn leads_to(
    visit: &Visit,
    flow: &FlowView,
    return_to: &str,
) -> Result<Option<String>, PageProblem> {
    let (path, query) = return_to.split_once('?').unwrap_or((return_to, ""));
    let Some(application) = flow.application.filter(|_| path.ends_with("/enter")) else {
        return Ok(None);
    };
    let query = Fields::parse(query.as_bytes())?;
    let Some(origin) = query.filled("origin") else {
        return Ok(None);
    };
    let applications = visit.platform().applications();
    let found = applications.find(&ApplicationRef::Id(application)).await?;
    let is_own = found.is_some_and(|application| application.has_origin(origin));
    Ok(is_own.then(|| origin.to_owned()))
}

/// Where those end whose code did not count.
fn no_way_in(visit: &Visit) -> Result<PageProblem, PageProblem> {
    let problem = PageProblem::from(Problem::new(Code::NotFound));
    Ok(problem.gone().saying(visit.t("enter.over")?))
}

/// On the application's host: exchanges the code for the pass, and goes to the page
/// that was wanted.
pub(super) async fn accept(State(app): State<App>, headers: HeaderMap, uri: Uri) -> Response {
    match exchange(&app, &headers, &uri).await {
        Ok(response) => response,
        // On our own host, since this one has none of our style sheets.
        Err(problem) if problem.code == Code::NotFound => {
            see_other(&format!("{}/enter", app.policy().links_base()))
        }
        Err(problem) => problem_page(&app, &problem, None),
    }
}

async fn exchange(app: &App, headers: &HeaderMap, uri: &Uri) -> Result<Response, Problem> {
    let missing = || Problem::new(Code::NotFound);
    let proxied = Proxied::read(headers)?;
    let query = Fields::parse(uri.query().unwrap_or_default().as_bytes());
    let code = query.ok().and_then(|query| query.secret("code").cloned());
    let code = code.and_then(|code| Token::parse(code.expose()));
    let cookies = proxied.cookies(headers);
    let browser = cookies.value(BROWSER);
    let browser = browser.and_then(|value| Token::parse(value.expose()));
    let (Some(code), Some(browser)) = (code, browser) else {
        return Err(missing());
    };
    let entries = app.platform().entries();
    let entered = entries.complete(&code, &proxied.origin, &browser).await?;
    let mut jar = proxied.jar();
    jar.set(PASS, entered.pass.expose(), None);
    let mut response = see_other(&entered.return_to);
    jar.onto(response.headers_mut());
    Ok(response)
}

/// On the application's host: to the page that asks whether to sign out. Where people
/// of the application signed in on a host of their own, the address has to name the
/// application.
pub(super) async fn leave(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let query = Fields::parse(uri.query().unwrap_or_default().as_bytes());
    let named = query
        .ok()
        .and_then(|query| query.filled("application").and_then(ApplicationRef::parse));
    let platform = app.platform();
    let application = match named {
        Some(named) => platform.applications().find(&named).await?,
        None => None,
    };
    let tenant = match application {
        Some(application) => {
            let tenant = TenantRef::Id(application.tenant);
            platform.tenants().find(&tenant).await?
        }
        None => None,
    };
    let own = tenant.and_then(|tenant| app.policy().origins().own(&tenant.name));
    let base = own.map_or_else(
        || app.policy().links_base(),
        |own| own.origin().ascii_serialization(),
    );
    Ok(see_other(&format!("{base}/sign-out")))
}
