//! The users of a tenant.

use axum::http::StatusCode;
use gatelodge_core::{
    Error,
    access::{Resource, action},
    model::{DisplayName, Email, Tenant, User, UserId, UserName, UserStatus},
    provider::LinkPurpose,
    secret::Secret,
    service::{InitialCredential, NewUser},
};

use super::{Redo, redo, tenant::sign_in_address, tenant_path};
use crate::{
    http::{
        extract::cursor,
        web::{
            forms::Rejected,
            frame::label,
            problem::PageProblem,
            visit::{Answer, Visit, see_other},
        },
    },
    pages::views::{
        ActionStyle, CreatedView, Field, FieldKind, FormCard, Link, Shown, State, UserRow,
        UsersView,
    },
};

const CARD: &str = "new-user";

/// The path of a tenant's users.
pub(super) fn path(tenant: &Tenant) -> String {
    format!("{}/users", tenant_path(tenant))
}

pub(super) async fn show(visit: Visit) -> Answer {
    let tenant = visit.console_tenant().await?;
    page(&visit, &tenant, None).await
}

pub(super) async fn create(visit: Visit) -> Answer {
    let tenant = visit.console_tenant().await?;
    match make(&visit, &tenant).await {
        Ok((user, Some(password))) => created(&visit, &tenant, &user, &password),
        Ok((user, None)) => {
            let notice = match visit.fields.text("first_password") {
                Some("invite") => "user_invited",
                _ => "user_created",
            };
            let path = format!("{}/{}?notice={notice}", path(&tenant), user.id);
            Ok(see_other(&visit.at(&path)))
        }
        Err(error) => {
            let taken = visit.t("form.user_taken")?;
            let rejected = Rejected::from(error)?.taken("user_name", taken);
            page(&visit, &tenant, Some((CARD, rejected))).await
        }
    }
}

async fn make(visit: &Visit, tenant: &Tenant) -> Result<(User, Option<Secret>), Error> {
    // Whoever may not is told so before anything is said of the names.
    let here = Resource::tenant(tenant.id);
    let platform = visit.platform();
    platform.authorise(visit.caller(), action::USER_CREATE, &here)?;
    let fields = &visit.fields;
    let new = NewUser {
        user_name: UserName::new(fields.text("user_name").unwrap_or_default())?,
        display_name: fields
            .filled("display_name")
            .map(DisplayName::new)
            .transpose()?,
        email: fields.filled("email").map(Email::new).transpose()?,
        credential: match fields.text("first_password") {
            Some("none") => InitialCredential::None,
            Some("invite") => InitialCredential::Invited,
            _ => InitialCredential::Generated,
        },
    };
    platform
        .users()
        .create(visit.caller(), tenant.id, new)
        .await
}

/// The one page that shows the first password: it is not stored to be shown again.
fn created(visit: &Visit, tenant: &Tenant, user: &User, password: &Secret) -> Answer {
    let name = [("name", user.display_name.as_str())];
    let users = path(tenant);
    let own = visit.at(&format!("{users}/{}", user.id));
    let view = CreatedView {
        frame: visit.frame(visit.users_nav(tenant))?,
        title: visit.tv("console.created.title", &name)?,
        text: Some(visit.t("console.created.text")?),
        user_name: user.user_name.to_string(),
        secret_label: visit.t("console.created.first_password")?,
        secret: Shown::new(password.expose()),
        sign_in_address: Some(sign_in_address(visit, tenant)),
        expires: None,
        must_change: user.must_change.is_some(),
        links: vec![
            Link::new(own, visit.tv("console.created.open", &name)?),
            Link::new(visit.at(&users), visit.t("console.user.back")?),
        ],
    };
    visit.page(StatusCode::OK, &view)
}

async fn page(visit: &Visit, tenant: &Tenant, again: Redo) -> Answer {
    let platform = visit.platform();
    let list = format!("console-users:{}", tenant.id);
    let asked = visit
        .paging()
        .page(platform, &list, UserId::from_uuid)
        .await?;
    let search = visit.query.filled("q");
    let users = platform.users();
    let listed = users.list(visit.caller(), tenant.id, search, asked).await?;
    let next = listed.next.map(|id| cursor(platform, &list, id.as_uuid()));
    let next = next.transpose()?;
    let path = path(tenant);
    let rows = listed.items.iter().map(|user| row(visit, &path, user));
    let status = again
        .as_ref()
        .map_or(StatusCode::OK, |(_, rejected)| rejected.status());
    let view = UsersView {
        frame: visit.frame(visit.users_nav(tenant))?,
        tenant: label(tenant),
        search: visit.search(&path),
        users: rows.collect::<Result<_, _>>()?,
        total: None,
        next: next.map(|cursor| visit.piece(&path, Some(&cursor))),
        first: visit
            .query
            .filled("cursor")
            .map(|_| visit.piece(&path, None)),
        create: create_card(visit, tenant, &again).await?,
        notice: visit.notice()?,
    };
    visit.page(status, &view)
}

fn row(visit: &Visit, path: &str, user: &User) -> Result<UserRow, PageProblem> {
    Ok(UserRow {
        href: visit.at(&format!("{path}/{}", user.id)),
        user_name: user.user_name.to_string(),
        display_name: user.display_name.to_string(),
        email: user.email.as_ref().map(ToString::to_string),
        state: state(visit, user),
        created: visit.time(user.created_at)?,
    })
}

pub(super) fn state(visit: &Visit, user: &User) -> State {
    if user.status == UserStatus::Deactivated {
        State::Deactivated
    } else if user.is_locked_at(visit.platform().now()) {
        State::Locked
    } else {
        State::Active
    }
}

async fn create_card(
    visit: &Visit,
    tenant: &Tenant,
    again: &Redo,
) -> Result<Option<FormCard>, PageProblem> {
    if !visit.may(action::USER_CREATE, &Resource::tenant(tenant.id)) {
        return Ok(None);
    }
    let text = |kind, name: &str| -> Result<Field, PageProblem> {
        Ok(Field::new(kind, name, visit.t(&format!("field.{name}"))?))
    };
    let password = visit.t("console.users.first_password")?;
    let mut password = Field::new(FieldKind::Choice, "first_password", password).value("generate");
    let mails = visit
        .platform()
        .mails_links(LinkPurpose::Invite, Some(tenant.id));
    if mails.await? {
        let invite = visit.t("console.users.first_password.invite")?;
        password = password.option("invite", invite);
    }
    let password = password
        .option(
            "generate",
            visit.t("console.users.first_password.generate")?,
        )
        .option("none", visit.t("console.users.first_password.none")?);
    let title = visit.t("console.users.new")?;
    let submit = visit.t("console.users.create")?;
    let mut card = FormCard {
        text: Some(visit.t("console.users.new.text")?),
        fields: vec![
            text(FieldKind::Text, "user_name")?,
            text(FieldKind::Text, "display_name")?.optional(),
            text(FieldKind::Email, "email")?.optional(),
            password,
        ],
        style: ActionStyle::Primary,
        ..FormCard::new(CARD, title, visit.post(&path(tenant)), submit)
    };
    redo(visit, again, &mut card)?;
    Ok(Some(card))
}
