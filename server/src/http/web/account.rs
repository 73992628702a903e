//! One's own account: this sign-in, all sessions, the ways to sign in.

use std::time::Duration;

use axum::http::StatusCode;
use gatelodge_core::{
    access::{Resource, action},
    model::{ProviderId, RecordId, Session, SessionId, Tenant, User},
    provider::{Device, LinkPurpose},
    service::SignInMethod as Set,
    storage::Page,
};

use super::{
    connections, elsewhere,
    frame::{Nav, label},
    problem::PageProblem,
    security,
    visit::{Answer, Visit, see_other},
    words,
};
use crate::{
    http::{
        cookies::tag,
        problem::{Code, Problem},
    },
    pages::views::{
        AccountView, CurrentSession, DeviceRow, Link, MethodItem, SessionRow, SessionsBlock,
        SignInMethod,
    },
};

/// More sessions than this are not shown one by one.
pub(super) const SHOWN_SESSIONS: u32 = 200;

pub(super) async fn show(visit: Visit) -> Answer {
    let session = visit.session()?.clone();
    let platform = visit.platform();
    let sessions = platform.sessions();
    let mut own = sessions
        .list_own(visit.caller(), Page::first(SHOWN_SESSIONS))
        .await?
        .items;
    // This one first, then the newest.
    own.sort_by_key(|s| (s.id != session.session.id, std::cmp::Reverse(s.id)));
    let methods = platform.accounts().sign_in_methods(visit.caller()).await?;
    let others = own.len() > 1;
    let rows = own.iter().map(|s| {
        let end = (s.id != session.session.id).then_some("/account/sessions/end");
        session_row(&visit, s, end)
    });
    let sessions = SessionsBlock {
        rows: rows.collect::<Result<_, _>>()?,
        end_many: others.then(|| visit.post("/account/sessions/end-others")),
    };
    let devices = devices(&visit).await?;
    let connections = connections::rows(&visit).await?;
    let security = security::overview(&visit, &methods, (own.len(), devices.len())).await?;
    let view = AccountView {
        security,
        frame: visit.frame(Nav::Account)?,
        display_name: session.user.display_name.to_string(),
        user_name: session.user.user_name.to_string(),
        tenant: label(&session.tenant),
        current: current(&visit, &session.session)?,
        sessions,
        devices,
        mailbox: mailbox(&visit, &session.tenant, &session.user).await?,
        methods: methods
            .iter()
            .map(|method| sign_in_method(&visit, method))
            .collect::<Result<_, _>>()?,
        connections,
        elsewhere: elsewhere::rows(&visit).await?,
        notice: visit.notice()?,
        links: ways_on(&visit)?,
    };
    visit.page(StatusCode::OK, &view)
}

async fn devices(visit: &Visit) -> Result<Vec<DeviceRow>, PageProblem> {
    let devices = visit.platform().accounts().devices(visit.caller()).await?;
    let rows = devices.iter().map(|own| {
        let row = device_row(visit, &own.device, Some("/account/devices/forget"))?;
        Ok(DeviceRow {
            current: own.is_current,
            ..row
        })
    });
    rows.collect()
}

/// A device in a list, with the button that forgets it at `forget`.
pub(super) fn device_row(
    visit: &Visit,
    device: &Device,
    forget: Option<&str>,
) -> Result<DeviceRow, PageProblem> {
    let (kind, name) = words::device(visit.app.renderer(), Some(&device.label))?;
    Ok(DeviceRow {
        kind,
        device: name,
        since: visit.time(device.created_at)?,
        last_used: visit.time(device.last_used_at)?,
        until: visit.time(device.expires_at)?,
        current: false,
        forget: forget.map(|path| visit.post(path).hidden("id", device.id.to_string())),
    })
}

/// The device that a form names.
pub(super) fn named_device(visit: &Visit) -> Result<RecordId, Problem> {
    let named = visit.fields.text("id").unwrap_or_default();
    named.parse().map_err(|_| Problem::new(Code::NotFound))
}

pub(super) async fn forget_device(visit: Visit) -> Answer {
    let id = named_device(&visit)?;
    let accounts = visit.platform().accounts();
    let was_current = accounts.end_device(visit.caller(), id).await?;
    let mut response = see_other(&visit.at("/account?notice=device_forgotten"));
    let tag = tag(visit.session()?.tenant.id);
    if was_current && let Some((name, _)) = visit.cookies.stay(Some(&tag)) {
        let mut jar = visit.cookies.jar();
        jar.remove(name);
        jar.onto(response.headers_mut());
    }
    Ok(response)
}

/// The e-mail address, where mails can show that it is the person's.
async fn mailbox(
    visit: &Visit,
    tenant: &Tenant,
    user: &User,
) -> Result<Option<SignInMethod>, PageProblem> {
    let mails = visit
        .platform()
        .mails_links(LinkPurpose::Verify, Some(tenant.id));
    if !mails.await? {
        return Ok(None);
    }
    let (state, action) = match (&user.email, user.email_verified) {
        (None, _) => ("none", "add"),
        (Some(_), false) => ("unverified", "verify"),
        (Some(_), true) => ("verified", "change"),
    };
    let text = |part: &str| visit.t(&format!("account.mailbox.{part}"));
    Ok(Some(SignInMethod {
        label: match &user.email {
            Some(email) => email.to_string(),
            None => text("no_address")?,
        },
        detail: Some(text(state)?),
        enabled: user.email_verified,
        actions: vec![Link::new(visit.at("/account/email"), text(action)?)],
        ..SignInMethod::default()
    }))
}

fn ways_on(visit: &Visit) -> Result<Vec<Link>, PageProblem> {
    let own = visit.session()?.tenant.id;
    if !visit.may(action::USER_LIST, &Resource::tenant(own)) {
        return Ok(Vec::new());
    }
    let label = visit.t("account.manage_users")?;
    Ok(vec![Link::new(visit.at("/console"), label)])
}

fn current(visit: &Visit, session: &Session) -> Result<CurrentSession, PageProblem> {
    let idle = Duration::from_secs(u64::try_from(session.idle_seconds).unwrap_or(0));
    Ok(CurrentSession {
        signed_in_with: factors(visit, session)?,
        signed_in_at: visit.time(session.auth_time())?,
        ends: visit.time(session.expires_at)?,
        idle: Some(words::length(visit.app.renderer(), idle)?),
    })
}

/// What was used, by what it is called.
fn factors(visit: &Visit, session: &Session) -> Result<String, PageProblem> {
    let mut labels: Vec<String> = Vec::new();
    for factor in &session.factors {
        let configured = visit.platform().providers().provider(&factor.provider);
        let label = configured.map_or_else(
            || factor.amr.clone(),
            |configured| configured.description.label.clone(),
        );
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    Ok(labels.join(&visit.t("account.and")?))
}

/// A session in a list, with the button that ends it at `end`.
pub(super) fn session_row(
    visit: &Visit,
    session: &Session,
    end: Option<&str>,
) -> Result<SessionRow, PageProblem> {
    let agent = session.client.user_agent.as_deref();
    let (kind, device) = words::device(visit.app.renderer(), agent)?;
    let address = session.client.address.clone();
    let own = visit.session()?.session.id;
    Ok(SessionRow {
        kind,
        device,
        address: match address {
            Some(address) => address,
            None => visit.t("sessions.no_address")?,
        },
        application: session.application.clone(),
        started: visit.time(session.started_at)?,
        last_active: visit.time(session.last_active_at)?,
        current: session.id == own,
        end: end.map(|path| visit.post(path).hidden("id", session.id.to_string())),
    })
}

fn sign_in_method(visit: &Visit, method: &Set) -> Result<SignInMethod, PageProblem> {
    let enabled = !method.credentials.is_empty();
    let detail = match method.credentials.as_slice() {
        [] => visit.t("account.method.none")?,
        [one] => {
            let time = visit.time(one.created_at)?;
            if one.label == method.label {
                visit.tv("account.method.one", &[("when", &time.text)])?
            } else {
                let values = [("name", one.label.as_str()), ("when", &time.text)];
                visit.tv("account.method.one_named", &values)?
            }
        }
        several => {
            let count = several.len().to_string();
            visit.tv("account.method.many", &[("count", &count)])?
        }
    };
    let key = if enabled {
        "account.method.change"
    } else {
        "account.method.set_up"
    };
    let href = address(visit, &method.provider);
    let mut actions = vec![Link::new(href, visit.t(key)?)];
    let mut items = removable(visit, method)?;
    // The only one is named in the row itself.
    if items.len() == 1 {
        actions.extend(items.pop().map(|only| only.remove));
    }
    Ok(SignInMethod {
        label: method.label.clone(),
        detail: Some(detail),
        enabled,
        actions,
        items,
        ..SignInMethod::default()
    })
}

/// What can be removed of a way to sign in: not what could be the last way in.
fn removable(visit: &Visit, method: &Set) -> Result<Vec<MethodItem>, PageProblem> {
    if !method.only_confirms {
        return Ok(Vec::new());
    }
    let items = method.credentials.iter().map(|credential| {
        let time = visit.time(credential.created_at)?;
        let values = [("name", credential.label.as_str()), ("when", &time.text)];
        let href = visit.at(&format!("/account/factors/{}/remove", credential.id));
        Ok(MethodItem {
            label: visit.tv("account.method.one_named", &values)?,
            remove: Link::new(href, visit.t("account.method.remove")?),
        })
    });
    items.collect()
}

pub(super) fn address(visit: &Visit, provider: &ProviderId) -> String {
    visit.at(&format!("/account/sign-in-methods/{provider}"))
}

/// The session that a form names.
pub(super) fn named_session(visit: &Visit) -> Result<SessionId, Problem> {
    let named = visit.fields.text("id").unwrap_or_default();
    named.parse().map_err(|_| Problem::new(Code::NotFound))
}

pub(super) async fn end_session(visit: Visit) -> Answer {
    let id = named_session(&visit)?;
    let sessions = visit.platform().sessions();
    sessions.end_own(visit.caller(), id).await?;
    Ok(see_other(&visit.at("/account?notice=session_ended")))
}

pub(super) async fn end_other_sessions(visit: Visit) -> Answer {
    let sessions = visit.platform().sessions();
    sessions.end_own_others(visit.caller()).await?;
    Ok(see_other(&visit.at("/account?notice=sessions_ended")))
}
