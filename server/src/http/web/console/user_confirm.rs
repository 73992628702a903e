//! Deactivating and deleting a user, behind pages that say what they will do.

use axum::http::StatusCode;
use gatelodge_core::{access::action, model::UserStatus, service::UserPatch, storage::Page};

use super::{user::Subject, user_changes::done, users::path as users_path};
use crate::{
    http::{
        problem::{Code, Problem},
        web::{
            account::SHOWN_SESSIONS,
            forms::{Rejected, refill},
            problem::PageProblem,
            visit::{Answer, Visit, see_other},
        },
    },
    pages::views::{ConfirmView, Field, FieldKind, Link},
};

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Deactivate,
    Delete,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Deactivate => "deactivate",
            Self::Delete => "delete",
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Deactivate => action::USER_UPDATE,
            Self::Delete => action::USER_DELETE,
        }
    }
}

pub(super) async fn ask_deactivate(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    page(&visit, &subject, Verb::Deactivate, None).await
}

pub(super) async fn deactivate(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    let patch = UserPatch {
        status: Some(UserStatus::Deactivated),
        ..UserPatch::default()
    };
    let place = (subject.tenant.id, subject.user.id);
    let version = visit.fields.version()?;
    let users = visit.platform().users();
    match users.update(visit.caller(), place, version, patch).await {
        Ok(_) => done(&visit, &subject, "deactivated"),
        Err(error) => {
            let rejected = Rejected::from(error)?;
            page(&visit, &subject, Verb::Deactivate, Some(rejected)).await
        }
    }
}

pub(super) async fn ask_delete(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    page(&visit, &subject, Verb::Delete, None).await
}

pub(super) async fn delete(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    allowed(&visit, &subject, Verb::Delete)?;
    if visit.fields.text("typed") != Some(subject.user.user_name.as_str()) {
        let message = visit.t("console.confirm.mistyped")?;
        let rejected = Rejected::about("typed", message);
        return page(&visit, &subject, Verb::Delete, Some(rejected)).await;
    }
    let place = (subject.tenant.id, subject.user.id);
    let version = visit.fields.version()?;
    let users = visit.platform().users();
    match users.delete(visit.caller(), place, version).await {
        Ok(()) => {
            let path = format!("{}?notice=deleted", users_path(&subject.tenant));
            Ok(see_other(&visit.at(&path)))
        }
        Err(error) => {
            let rejected = Rejected::from(error)?;
            page(&visit, &subject, Verb::Delete, Some(rejected)).await
        }
    }
}

/// Asks before a second factor is removed.
pub(super) async fn ask_remove_factor(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    let (tenant, id) = (subject.tenant.id, subject.user.id);
    let platform = visit.platform();
    let action = action::USER_REMOVE_FACTOR;
    platform.authorise(visit.caller(), action, &subject.resource())?;
    let named = visit.query.text("id").unwrap_or_default().to_owned();
    let factors = platform.users().factors(visit.caller(), tenant, id).await?;
    let found = factors.iter().find_map(|method| {
        let mut credentials = method.credentials.iter();
        let found = credentials.find(|credential| credential.id.to_string() == named);
        Some((method.label.as_str(), found?.label.as_str()))
    });
    let (label, detail) = found.ok_or_else(|| Problem::new(Code::NotFound))?;
    // What was given no name is called what it is.
    let which = match detail == label {
        true => label.to_owned(),
        false => format!("{label} ({detail})"),
    };
    let mut consequences = vec![
        visit.tv("console.user.remove_factor.which", &[("which", &which)])?,
        visit.t("console.user.remove_factor.again")?,
    ];
    consequences.extend(ending_sessions(&visit, &subject).await?);
    let name = [("name", subject.user.display_name.as_str())];
    let post = visit.post(&format!("{}/factors/remove", subject.path));
    let view = ConfirmView {
        frame: visit.frame(visit.users_nav(&subject.tenant))?,
        title: visit.tv("console.remove_factor.ask", &name)?,
        text: visit.t("console.user.remove_factor.text")?,
        consequences,
        post: post.hidden("id", named),
        fields: Vec::new(),
        confirm: visit.t("console.user.remove_factor.submit")?,
        danger: true,
        cancel: Link::new(visit.at(&subject.path), visit.t("console.cancel")?),
        error: None,
    };
    visit.page(StatusCode::OK, &view)
}

fn allowed(visit: &Visit, subject: &Subject, verb: Verb) -> Result<(), PageProblem> {
    let platform = visit.platform();
    Ok(platform.authorise(visit.caller(), verb.action(), &subject.resource())?)
}

async fn page(visit: &Visit, subject: &Subject, verb: Verb, rejected: Option<Rejected>) -> Answer {
    allowed(visit, subject, verb)?;
    let user = &subject.user;
    let key = |rest: &str| format!("console.user.{}.{rest}", verb.name());
    let mut fields = Vec::new();
    if verb == Verb::Delete {
        let name = [("name", user.user_name.as_str())];
        let typed = visit.tv("console.confirm.type", &name)?;
        fields.push(Field::new(FieldKind::Text, "typed", typed));
    }
    let mut error = None;
    if let Some(rejected) = &rejected {
        refill(&mut fields, &visit.fields);
        error = rejected.mark(visit, &mut fields)?;
    }
    let name = [("name", user.display_name.as_str())];
    let ask = format!("console.{}.ask", verb.name());
    let post = visit.post(&format!("{}/{}", subject.path, verb.name()));
    let view = ConfirmView {
        frame: visit.frame(visit.users_nav(&subject.tenant))?,
        title: visit.tv(&ask, &name)?,
        text: visit.t(&key("text"))?,
        consequences: consequences(visit, subject, verb).await?,
        post: post.hidden("version", user.version.to_string()),
        fields,
        confirm: visit.t(&key("submit"))?,
        danger: true,
        cancel: Link::new(visit.at(&subject.path), visit.t("console.cancel")?),
        error,
    };
    let status = rejected.map_or(StatusCode::OK, |rejected| rejected.status());
    visit.page(status, &view)
}

async fn consequences(
    visit: &Visit,
    subject: &Subject,
    verb: Verb,
) -> Result<Vec<String>, PageProblem> {
    let mut consequences = Vec::new();
    consequences.extend(ending_sessions(visit, subject).await?);
    if verb == Verb::Delete {
        let name = [("name", subject.user.user_name.as_str())];
        consequences.push(visit.tv("console.user.delete.name_free", &name)?);
        consequences.push(visit.t("console.delete.what_stays")?);
    }
    Ok(consequences)
}

/// How many sessions end, if any.
async fn ending_sessions(visit: &Visit, subject: &Subject) -> Result<Option<String>, PageProblem> {
    let sessions = visit.platform().sessions();
    let (tenant, user) = (subject.tenant.id, Some(subject.user.id));
    let open = sessions
        .list(
            visit.caller(),
            tenant,
            user,
            true,
            Page::first(SHOWN_SESSIONS),
        )
        .await?;
    if open.items.is_empty() {
        return Ok(None);
    }
    let count = open.items.len().to_string();
    Ok(Some(
        visit.tv("console.sessions_end", &[("count", &count)])?,
    ))
}
