//! One user: names, grants, lock, sessions.

use axum::http::StatusCode;
use gatelodge_core::{
    access::{Resource, action},
    model::{Grant, MustChange, SecondFactorRule, Tenant, User, UserId, UserStatus},
    provider::LinkPurpose,
    service::UserDetails,
    storage::Page,
};

use super::{Redo, lock, redo, users};
use crate::{
    http::{
        problem::{Code, Problem},
        web::{
            account::{SHOWN_SESSIONS, device_row, session_row},
            frame::label,
            problem::PageProblem,
            visit::{Answer, Visit, with_parameter},
        },
    },
    pages::views::{
        DangerAction, DeviceRow, Fact, FactorRow, Field, FieldKind, FormCard, Link, SessionsBlock,
        UserView,
    },
};

pub(super) const NAMES: &str = "names";
pub(super) const GRANTS: &str = "grants";
pub(super) const LINK: &str = "link";
pub(super) const REQUIRE: &str = "require-change";

/// The user that a page of the console is about.
pub(super) struct Subject {
    pub(super) tenant: Tenant,
    pub(super) user: User,
    pub(super) grants: Vec<Grant>,
    /// The path of its page.
    pub(super) path: String,
}

impl Subject {
    /// The user that the path names.
    pub(super) async fn find(visit: &Visit) -> Result<Self, PageProblem> {
        let tenant = visit.console_tenant().await?;
        // Whether somebody may look is decided before what was asked for is read.
        let here = Resource::tenant(tenant.id);
        visit
            .platform()
            .authorise(visit.caller(), action::USER_READ, &here)?;
        let named = visit.part("u").parse::<UserId>();
        let id = named.map_err(|_| Problem::new(Code::NotFound))?;
        let users = visit.platform().users();
        let UserDetails { user, grants } = users.read(visit.caller(), tenant.id, id).await?;
        Ok(Self {
            path: format!("{}/{}", users::path(&tenant), user.id),
            tenant,
            user,
            grants,
        })
    }

    /// What decisions about this user are asked with.
    pub(super) fn resource(&self) -> Resource {
        Resource::user(self.tenant.id, self.user.id).with_grants(self.grants.clone())
    }

    pub(super) fn may(&self, visit: &Visit, action: &str) -> bool {
        visit.may(action, &self.resource())
    }

    /// Whether the viewer may give and take a grant here.
    pub(super) fn may_grant(&self, visit: &Visit, grant: Grant) -> bool {
        let resource = Resource {
            grant: Some(grant),
            ..self.resource()
        };
        visit.may(action::USER_GRANT, &resource)
    }

    /// Whether it is the viewer.
    fn is_viewer(&self, visit: &Visit) -> bool {
        let session = visit.requester.session.as_ref();
        session.is_some_and(|s| (s.tenant.id, s.user.id) == (self.tenant.id, self.user.id))
    }
}

pub(super) async fn show(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    page(&visit, &subject, None).await
}

pub(super) async fn page(visit: &Visit, subject: &Subject, again: Redo) -> Answer {
    let user = &subject.user;
    let mut forms = Vec::new();
    if subject.may(visit, action::USER_UPDATE) {
        if user.status == UserStatus::Deactivated {
            forms.push(activate_card(visit, subject)?);
        }
        forms.push(names_card(visit, subject)?);
    }
    forms.extend(link_card(visit, subject).await?);
    if subject.may(visit, action::USER_REQUIRE_CHANGE) {
        forms.push(require_card(visit, subject)?);
    }
    forms.extend(grants_card(visit, subject)?);
    for card in &mut forms {
        redo(visit, &again, card)?;
    }
    let may_lock = subject.may(visit, action::USER_LOCK) && !subject.is_viewer(visit);
    let place = (subject.path.as_str(), "user");
    let status = again
        .as_ref()
        .map_or(StatusCode::OK, |(_, rejected)| rejected.status());
    let factors = factors(visit, subject).await?;
    let view = UserView {
        frame: visit.frame(visit.users_nav(&subject.tenant))?,
        tenant: label(&subject.tenant),
        back: visit.at(&users::path(&subject.tenant)),
        user_name: user.user_name.to_string(),
        display_name: user.display_name.to_string(),
        state: users::state(visit, user),
        facts: facts(visit, subject, &factors).await?,
        forms,
        lock: lock::block(visit, place, user.lock.as_ref(), may_lock, &again)?,
        factors,
        sessions: sessions(visit, subject).await?,
        devices: devices(visit, subject).await?,
        danger: danger(visit, subject)?,
        notice: visit.notice()?,
        error: None,
    };
    visit.page(status, &view)
}

async fn facts(
    visit: &Visit,
    subject: &Subject,
    factors: &[FactorRow],
) -> Result<Vec<Fact>, PageProblem> {
    let user = &subject.user;
    let mut facts = vec![
        Fact::code(visit.t("console.id")?, user.id.to_string()),
        Fact::time(visit.t("console.created_at")?, visit.time(user.created_at)?),
    ];
    if user.email.is_some() {
        let key = if user.email_verified {
            "console.email.verified"
        } else {
            "console.email.unverified"
        };
        facts.push(Fact::text(visit.t("field.email")?, visit.t(key)?));
    }
    if let Some(reason) = user.must_change {
        let reason = visit.t(&format!("console.must_change.{}", reason.as_str()))?;
        facts.push(Fact::text(visit.t("console.must_change")?, reason));
    }
    if factors.iter().all(|factor| factor.backup) {
        facts.extend(missing_factor(visit, subject).await?);
    }
    Ok(facts)
}

/// That the user has no second factor and has to have one.
async fn missing_factor(visit: &Visit, subject: &Subject) -> Result<Option<Fact>, PageProblem> {
    let users = visit.platform().users();
    let (tenant, user) = (subject.tenant.id, subject.user.id);
    let own = users
        .second_factor_rule(visit.caller(), tenant, user)
        .await?;
    let text = match own.due {
        _ if own.rule != SecondFactorRule::Required => return Ok(None),
        None => visit.t("console.factor_missing.now")?,
        Some(due) => {
            let when = visit.time(due)?;
            let values = [("when", when.text.as_str())];
            visit.tv("console.factor_missing.later", &values)?
        }
    };
    let label = visit.t("console.factor_missing")?;
    Ok(Some(Fact::text(label, text)))
}

fn names_card(visit: &Visit, subject: &Subject) -> Result<FormCard, PageProblem> {
    let user = &subject.user;
    let field = |kind, name: &str, value: &str| -> Result<Field, PageProblem> {
        Ok(Field::new(kind, name, visit.t(&format!("field.{name}"))?).value(value))
    };
    let email = user
        .email
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let post = visit
        .post(&subject.path)
        .hidden("version", user.version.to_string());
    let (title, submit) = (visit.t("console.names.title")?, visit.t("console.save")?);
    Ok(FormCard {
        text: Some(visit.t("console.user.names.text")?),
        fields: vec![
            field(FieldKind::Text, "user_name", user.user_name.as_str())?,
            field(FieldKind::Text, "display_name", user.display_name.as_str())?,
            field(FieldKind::Email, "email", &email)?.optional(),
        ],
        ..FormCard::new(NAMES, title, post, submit)
    })
}

/// Asks for a new password, without anybody else's seeing or choosing it.
fn require_card(visit: &Visit, subject: &Subject) -> Result<FormCard, PageProblem> {
    let label = visit.t("console.require_change.reason")?;
    let mut field = Field::new(FieldKind::Choice, "must_change", label);
    for reason in [MustChange::Administrator, MustChange::Compromised] {
        let name = reason.as_str();
        let label = visit.t(&format!("console.require_change.{name}"))?;
        field = field.option(name, label);
    }
    field.value = Some(MustChange::Administrator.as_str().to_owned());
    let post = visit.post(&format!("{}/require-change", subject.path));
    let post = post.hidden("version", subject.user.version.to_string());
    let title = visit.t("console.require_change.title")?;
    let submit = visit.t("console.require_change.submit")?;
    Ok(FormCard {
        text: Some(visit.t("console.require_change.text")?),
        fields: vec![field],
        ..FormCard::new(REQUIRE, title, post, submit)
    })
}

fn activate_card(visit: &Visit, subject: &Subject) -> Result<FormCard, PageProblem> {
    let post = visit.post(&format!("{}/activate", subject.path));
    let post = post.hidden("version", subject.user.version.to_string());
    let title = visit.t("console.user.activate.title")?;
    let submit = visit.t("console.user.activate.submit")?;
    Ok(FormCard {
        text: Some(visit.t("console.user.activate.text")?),
        ..FormCard::new("activate", title, post, submit)
    })
}

/// What helps somebody in whose address is known: an invitation, until it is
/// verified, and then a way to a new password.
async fn link_card(visit: &Visit, subject: &Subject) -> Result<Option<FormCard>, PageProblem> {
    let user = &subject.user;
    let purpose = match user.email_verified {
        true => LinkPurpose::Reset,
        false => LinkPurpose::Invite,
    };
    let can = user.email.is_some()
        && subject.may(visit, action::USER_SEND_LINK)
        && visit
            .platform()
            .mails_links(purpose, Some(subject.tenant.id))
            .await?;
    if !can {
        return Ok(None);
    }
    let post = visit.post(&format!("{}/link", subject.path));
    let post = post.hidden("purpose", purpose.as_str());
    let text = |part: &str| {
        let purpose = purpose.as_str();
        visit.t(&format!("console.user.link.{purpose}.{part}"))
    };
    Ok(Some(FormCard {
        text: Some(text("text")?),
        ..FormCard::new(LINK, text("title")?, post, text("submit")?)
    }))
}

/// The grants that the viewer may give and take here.
fn grants_card(visit: &Visit, subject: &Subject) -> Result<Option<FormCard>, PageProblem> {
    let mut fields = Vec::new();
    for grant in Grant::ALL {
        if !subject.may_grant(visit, grant) {
            continue;
        }
        let label = visit.t(&format!("console.grant.{}", grant.as_str()))?;
        let mut field = Field::new(FieldKind::Checkbox, grant.as_str(), label);
        field.help = Some(visit.t(&format!("console.grant.{}.help", grant.as_str()))?);
        field.value = subject.grants.contains(&grant).then(|| "true".to_owned());
        fields.push(field);
    }
    if fields.is_empty() {
        return Ok(None);
    }
    let post = visit.post(&format!("{}/grants", subject.path));
    let (title, submit) = (visit.t("console.grants.title")?, visit.t("console.save")?);
    Ok(Some(FormCard {
        text: Some(visit.t("console.grants.text")?),
        fields,
        ..FormCard::new(GRANTS, title, post, submit)
    }))
}

async fn factors(visit: &Visit, subject: &Subject) -> Result<Vec<FactorRow>, PageProblem> {
    let users = visit.platform().users();
    let (tenant, user) = (subject.tenant.id, subject.user.id);
    let may_remove = subject.may(visit, action::USER_REMOVE_FACTOR) && !subject.is_viewer(visit);
    let end = format!("{}/factors/remove", subject.path);
    let mut rows = Vec::new();
    for method in users.factors(visit.caller(), tenant, user).await? {
        for credential in &method.credentials {
            let time = visit.time(credential.created_at)?;
            let values = [("name", credential.label.as_str()), ("when", &time.text)];
            let id = credential.id.to_string();
            let remove = || {
                let href = with_parameter(&visit.at(&end), "id", &id);
                let label = visit.t("account.method.remove")?;
                Ok::<_, PageProblem>(Link::new(href, label))
            };
            rows.push(FactorRow {
                label: method.label.clone(),
                backup: method.backup,
                detail: visit.tv("account.method.one_named", &values)?,
                remove: may_remove.then(remove).transpose()?,
            });
        }
    }
    Ok(rows)
}

async fn devices(visit: &Visit, subject: &Subject) -> Result<Vec<DeviceRow>, PageProblem> {
    let users = visit.platform().users();
    let (tenant, user) = (subject.tenant.id, subject.user.id);
    let devices = users.devices(visit.caller(), tenant, user).await?;
    let may_end = subject.may(visit, action::USER_END_DEVICE);
    let end = format!("{}/devices/forget", subject.path);
    let end = may_end.then_some(end.as_str());
    let rows = devices.iter().map(|device| device_row(visit, device, end));
    rows.collect()
}

async fn sessions(visit: &Visit, subject: &Subject) -> Result<SessionsBlock, PageProblem> {
    let service = visit.platform().sessions();
    let (tenant, user) = (subject.tenant.id, Some(subject.user.id));
    let mut open = service
        .list(
            visit.caller(),
            tenant,
            user,
            true,
            Page::first(SHOWN_SESSIONS),
        )
        .await?
        .items;
    open.sort_by_key(|session| std::cmp::Reverse(session.id));
    let may_end = subject.may(visit, action::SESSION_END);
    let end = format!("{}/sessions/end", subject.path);
    let end = may_end.then_some(end.as_str());
    let rows = open.iter().map(|session| session_row(visit, session, end));
    let many = may_end && open.len() > 1;
    Ok(SessionsBlock {
        rows: rows.collect::<Result<_, _>>()?,
        end_many: many.then(|| visit.post(&format!("{}/sessions/end-all", subject.path))),
    })
}

fn danger(visit: &Visit, subject: &Subject) -> Result<Vec<DangerAction>, PageProblem> {
    let mut actions = Vec::new();
    if subject.is_viewer(visit) {
        return Ok(actions);
    }
    let action = |verb: &str| -> Result<DangerAction, PageProblem> {
        let href = visit.at(&format!("{}/{verb}", subject.path));
        let button = visit.t(&format!("console.{verb}"))?;
        Ok(DangerAction {
            title: visit.t(&format!("console.user.{verb}.title"))?,
            text: visit.t(&format!("console.user.{verb}.text"))?,
            link: Link::new(href, button),
        })
    };
    let active = subject.user.status == UserStatus::Active;
    if active && subject.may(visit, action::USER_UPDATE) {
        actions.push(action("deactivate")?);
    }
    if subject.may(visit, action::USER_DELETE) {
        actions.push(action("delete")?);
    }
    Ok(actions)
}
