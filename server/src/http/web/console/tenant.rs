//! One tenant: its names, its settings, its lock.

use std::time::Duration;

use axum::http::StatusCode;
use gatelodge_core::{
    Error,
    access::{Resource, action},
    model::{DisplayName, EffectiveSettings, Tenant, TenantName, TenantSettings},
    provider::Rule,
    service::{ProviderRules, TenantPatch, TenantRef},
};

use super::{Redo, lock, redo, second_factor, tenant_path, tenants::state, ways};
use crate::{
    http::web::{
        forms::Rejected,
        frame::{Nav, label},
        problem::PageProblem,
        visit::{Answer, Visit, address_of, see_other},
        words,
    },
    pages::views::{
        DangerAction, Fact, Field, FieldKind, FormCard, Link, RuleRow, RulesBlock, TenantView,
    },
};

const NAMES: &str = "names";
const SETTINGS: &str = "settings";

pub(super) async fn show(visit: Visit) -> Answer {
    page(&visit, None).await
}

pub(super) async fn rename(visit: Visit) -> Answer {
    let tenant = visit.console_tenant().await?;
    let version = visit.fields.version()?;
    let text = |name: &str| visit.fields.text(name).unwrap_or_default().to_owned();
    let renamed = async {
        let patch = TenantPatch {
            name: Some(TenantName::new(&text("name"))?),
            display_name: Some(DisplayName::new(&text("display_name"))?),
        };
        let tenants = visit.platform().tenants();
        tenants
            .update(visit.caller(), tenant.id, version, patch)
            .await
    };
    match renamed.await {
        Ok(_) => done(&visit, &tenant, "saved"),
        Err(error) => {
            let taken = visit.t("form.tenant_taken")?;
            let rejected = Rejected::from(error)?.taken("name", taken);
            page(&visit, Some((NAMES, rejected))).await
        }
    }
}

pub(super) async fn lock(visit: Visit) -> Answer {
    let tenant = visit.console_tenant().await?;
    let locked = match lock::asked(&visit) {
        Ok(lock) => {
            let tenants = visit.platform().tenants();
            let locked = tenants.lock(visit.caller(), tenant.id, lock).await;
            locked.map_err(Rejected::from)
        }
        Err(rejected) => Err(Ok(rejected)),
    };
    match locked {
        Ok(_) => done(&visit, &tenant, "locked"),
        Err(rejected) => page(&visit, Some((lock::CARD, rejected?))).await,
    }
}

pub(super) async fn unlock(visit: Visit) -> Answer {
    let tenant = visit.console_tenant().await?;
    let tenants = visit.platform().tenants();
    tenants.unlock(visit.caller(), tenant.id).await?;
    done(&visit, &tenant, "unlocked")
}

pub(super) async fn settings(visit: Visit) -> Answer {
    let tenant = visit.console_tenant().await?;
    match store_settings(&visit, &tenant).await {
        Ok(()) => done(&visit, &tenant, "saved"),
        Err(rejected) => page(&visit, Some((SETTINGS, rejected?))).await,
    }
}

/// Changes the settings on the form and keeps the others.
async fn store_settings(
    visit: &Visit,
    tenant: &Tenant,
) -> Result<(), Result<Rejected, PageProblem>> {
    let core = |error: Error| {
        let rejected = Rejected::from(error);
        rejected.map(|rejected| {
            rejected
                .renamed("session.idle_minutes", "idle_minutes")
                .renamed("session.absolute_minutes", "absolute_minutes")
        })
    };
    let tenants = visit.platform().tenants();
    let version = visit
        .fields
        .version()
        .map_err(|problem| Err(problem.into()))?;
    let read = tenants.settings(visit.caller(), tenant.id).await;
    let (mut new, _, _) = read.map_err(core)?;
    new.registration.enabled = match visit.fields.text("registration") {
        Some("on") => Some(true),
        Some("off") => Some(false),
        _ => None,
    };
    new.session.idle_minutes = minutes(visit, "idle_minutes").map_err(Ok)?;
    new.session.absolute_minutes = minutes(visit, "absolute_minutes").map_err(Ok)?;
    let stored = tenants.put_settings(visit.caller(), tenant.id, version, new);
    stored.await.map(|_| ()).map_err(core)
}

fn minutes(visit: &Visit, field: &str) -> Result<Option<u32>, Rejected> {
    let Some(text) = visit.fields.filled(field) else {
        return Ok(None);
    };
    let expected = || Rejected::about(field, "expected a whole number of minutes".to_owned());
    text.parse().map(Some).map_err(|_| expected())
}

pub(super) fn done(visit: &Visit, tenant: &Tenant, notice: &str) -> Answer {
    let path = format!("{}?notice={notice}", tenant_path(tenant));
    Ok(see_other(&visit.at(&path)))
}

pub(super) async fn page(visit: &Visit, again: Redo) -> Answer {
    let named = TenantRef::parse(visit.part("t"));
    let tenants = visit.platform().tenants();
    let tenant = tenants.read(visit.caller(), &named).await?;
    let (own, version, effective) = tenants.settings(visit.caller(), tenant.id).await?;
    let here = Resource::tenant(tenant.id);
    let path = tenant_path(&tenant);
    let mut forms = Vec::new();
    if visit.may(action::TENANT_UPDATE, &here) {
        forms.push(names_card(visit, &tenant)?);
    }
    if visit.may(action::SETTINGS_UPDATE, &here) {
        forms.push(settings_card(visit, &path, (&own, version), &effective)?);
        let card = second_factor::card(visit, &path, (&own, version), &effective)?;
        forms.push(card);
        let card = ways::card(visit, (&path, &tenant), (&own, version), &effective)?;
        forms.push(card);
    }
    for card in &mut forms {
        redo(visit, &again, card)?;
    }
    let may_lock = visit.may(action::TENANT_LOCK, &here) && !visit.is_own(&tenant);
    let whole = visit.may(action::TENANT_LIST, &Resource::platform());
    let users = visit.at(&format!("{path}/users"));
    let status = again
        .as_ref()
        .map_or(StatusCode::OK, |(_, rejected)| rejected.status());
    let view = TenantView {
        frame: visit.frame(Nav::Tenants)?,
        tenant: label(&tenant),
        back: whole.then(|| visit.at("/console/tenants")),
        state: state(visit, &tenant),
        facts: facts(visit, &tenant)?,
        links: vec![Link::new(users, visit.t("console.tenant.users")?)],
        forms,
        rules: rules(visit, &tenant)?,
        lock: lock::block(
            visit,
            (&path, "tenant"),
            tenant.lock.as_ref(),
            may_lock,
            &again,
        )?,
        danger: danger(visit, &tenant)?,
        notice: visit.notice()?,
        error: None,
    };
    visit.page(status, &view)
}

fn facts(visit: &Visit, tenant: &Tenant) -> Result<Vec<Fact>, PageProblem> {
    let address = sign_in_address(visit, tenant);
    Ok(vec![
        Fact::code(visit.t("console.id")?, tenant.id.to_string()),
        Fact::text(visit.t("console.tenant.sign_in_address")?, address),
        Fact::time(
            visit.t("console.created_at")?,
            visit.time(tenant.created_at)?,
        ),
    ])
}

/// Where a tenant's people sign in.
pub(super) fn sign_in_address(visit: &Visit, tenant: &Tenant) -> String {
    format!("{}/sign-in", address_of(&visit.app, tenant))
}

fn names_card(visit: &Visit, tenant: &Tenant) -> Result<FormCard, PageProblem> {
    let name = Field::new(FieldKind::Text, "name", visit.t("console.tenant.name")?)
        .help(visit.t("console.tenant.rename.help")?)
        .value(tenant.name.as_str());
    let shown = visit.t("field.display_name")?;
    let display_name = Field::new(FieldKind::Text, "display_name", shown);
    let post = visit.post(&tenant_path(tenant));
    let post = post.hidden("version", tenant.version.to_string());
    let (title, submit) = (visit.t("console.names.title")?, visit.t("console.save")?);
    Ok(FormCard {
        fields: vec![name, display_name.value(tenant.display_name.as_str())],
        ..FormCard::new(NAMES, title, post, submit)
    })
}

fn settings_card(
    visit: &Visit,
    path: &str,
    (own, version): (&TenantSettings, i64),
    effective: &EffectiveSettings,
) -> Result<FormCard, PageProblem> {
    let post = visit.post(&format!("{path}/settings"));
    let post = post.hidden("version", version.to_string());
    let (title, submit) = (visit.t("console.settings.title")?, visit.t("console.save")?);
    let (idle, absolute) = (own.session.idle_minutes, own.session.absolute_minutes);
    Ok(FormCard {
        text: Some(visit.t("console.settings.text")?),
        fields: vec![
            registration_field(visit, own, effective)?,
            minutes_field(visit, "idle_minutes", idle, effective.session_idle)?,
            minutes_field(
                visit,
                "absolute_minutes",
                absolute,
                effective.session_absolute,
            )?,
        ],
        ..FormCard::new(SETTINGS, title, post, submit)
    })
}

fn registration_field(
    visit: &Visit,
    own: &TenantSettings,
    effective: &EffectiveSettings,
) -> Result<Field, PageProblem> {
    let chosen = match own.registration.enabled {
        None => "inherit",
        Some(true) => "on",
        Some(false) => "off",
    };
    let label = visit.t("console.settings.registration")?;
    let mut field = Field::new(FieldKind::Choice, "registration", label).value(chosen);
    for value in ["inherit", "off", "on"] {
        let label = visit.t(&format!("console.settings.registration.{value}"))?;
        field = field.option(value, label);
    }
    if own.registration.enabled.is_none() {
        let state = if effective.registration_enabled {
            "on"
        } else {
            "off"
        };
        let state = visit.t(&format!("console.settings.registration.{state}"))?;
        field = field.help(visit.tv("console.settings.in_force", &[("value", &state)])?);
    }
    Ok(field)
}

fn minutes_field(
    visit: &Visit,
    name: &str,
    own: Option<u32>,
    effective: Duration,
) -> Result<Field, PageProblem> {
    let label = visit.t(&format!("console.settings.{name}"))?;
    let mut field = Field::new(FieldKind::Number, name, label).optional();
    field.unit = Some(visit.t("console.settings.minutes")?);
    field.value = own.map(|minutes| minutes.to_string());
    if own.is_none() {
        let span = words::length(visit.app.renderer(), effective)?;
        field = field.help(visit.tv("console.settings.in_force", &[("value", &span)])?);
    }
    Ok(field)
}

fn rules(visit: &Visit, tenant: &Tenant) -> Result<Vec<RulesBlock>, PageProblem> {
    if !visit.may(action::SETTINGS_READ, &Resource::tenant(tenant.id)) {
        return Ok(Vec::new());
    }
    let all = visit
        .platform()
        .tenants()
        .rules(visit.caller(), tenant.id)?;
    let block = |of: ProviderRules| {
        let rules = of.rules.into_iter().map(|rule| rule_row(visit, rule));
        Ok(RulesBlock {
            label: of.label,
            rules: rules.collect::<Result<_, PageProblem>>()?,
        })
    };
    all.into_iter().map(block).collect()
}

fn rule_row(visit: &Visit, rule: Rule) -> Result<RuleRow, PageProblem> {
    let breaks = rule.breaks.iter().map(|requirement| {
        let values = [
            ("requirement", requirement.id.as_str()),
            ("text", requirement.text.as_str()),
        ];
        visit.tv("console.rules.breaks", &values)
    });
    Ok(RuleRow {
        breaks: breaks.collect::<Result<_, _>>()?,
        text: rule.text,
    })
}

fn danger(visit: &Visit, tenant: &Tenant) -> Result<Vec<DangerAction>, PageProblem> {
    let may = visit.may(action::TENANT_DELETE, &Resource::tenant(tenant.id));
    if !may || visit.is_own(tenant) {
        return Ok(Vec::new());
    }
    let href = visit.at(&format!("{}/delete", tenant_path(tenant)));
    Ok(vec![DangerAction {
        title: visit.t("console.tenant.delete.title")?,
        text: visit.t("console.tenant.delete.text")?,
        link: Link::new(href, visit.t("console.delete")?),
    }])
}
