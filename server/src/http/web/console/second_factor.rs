//! Who of a tenant has to have a second factor.

use gatelodge_core::{
    Error,
    model::{EffectiveSettings, SecondFactorRule, Tenant, TenantSettings},
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::tenant::{done, page};
use crate::{
    http::web::{
        forms::Rejected,
        problem::PageProblem,
        visit::{Answer, Visit},
    },
    pages::views::{Field, FieldKind, FormCard},
};

/// The card's id.
const CARD: &str = "second-factor";
const EVERYONE: &str = "everyone";
const ADMINISTRATORS: &str = "administrators";
const FROM: &str = "required_from";

pub(super) async fn store(visit: Visit) -> Answer {
    let tenant = visit.console_tenant().await?;
    match put(&visit, &tenant).await {
        Ok(()) => done(&visit, &tenant, "saved"),
        Err(rejected) => page(&visit, Some((CARD, rejected?))).await,
    }
}

/// Changes what is on the form and keeps the other settings.
async fn put(visit: &Visit, tenant: &Tenant) -> Result<(), Result<Rejected, PageProblem>> {
    let core = |error: Error| {
        let rejected = Rejected::from(error);
        rejected.map(|rejected| {
            rejected
                .renamed("second_factor.everyone", EVERYONE)
                .renamed("second_factor.administrators", ADMINISTRATORS)
        })
    };
    let tenants = visit.platform().tenants();
    let version = visit
        .fields
        .version()
        .map_err(|problem| Err(problem.into()))?;
    let read = tenants.settings(visit.caller(), tenant.id).await;
    let (mut new, _, _) = read.map_err(core)?;
    new.second_factor.everyone = rule(visit, EVERYONE).map_err(Ok)?;
    new.second_factor.administrators = rule(visit, ADMINISTRATORS).map_err(Ok)?;
    new.second_factor.required_from = moment(visit).map_err(Ok)?;
    let stored = tenants.put_settings(visit.caller(), tenant.id, version, new);
    stored.await.map(|_| ()).map_err(core)
}

/// The chosen rule; `None` for what is inherited. A form without the choice loosens
/// nothing.
fn rule(visit: &Visit, field: &str) -> Result<Option<SecondFactorRule>, Rejected> {
    let chosen = visit.fields.text(field).unwrap_or_default();
    if chosen == "inherit" {
        return Ok(None);
    }
    let wrong = || Rejected::about(field, "choose one of the offered values".to_owned());
    SecondFactorRule::parse(chosen).map(Some).ok_or_else(wrong)
}

/// The moment that is typed: to the second, or a day, which begins at midnight UTC.
fn moment(visit: &Visit) -> Result<Option<Timestamp>, Rejected> {
    let Some(text) = visit.fields.filled(FROM) else {
        return Ok(None);
    };
    let text = text.trim();
    let day = |text: &str| {
        let day: Date = text.parse().ok()?;
        let begin = day.to_zoned(TimeZone::UTC).ok()?;
        Some(begin.timestamp())
    };
    let moment = text.parse().ok().or_else(|| day(text));
    let wrong = || {
        let expected =
            "expected a day such as 2027-01-31, or a moment such as 2027-01-31T09:00:00Z";
        Rejected::about(FROM, expected.to_owned())
    };
    moment.map(Some).ok_or_else(wrong)
}

pub(super) fn card(
    visit: &Visit,
    path: &str,
    (own, version): (&TenantSettings, i64),
    effective: &EffectiveSettings,
) -> Result<FormCard, PageProblem> {
    let own = &own.second_factor;
    let post = visit.post(&format!("{path}/{CARD}"));
    let post = post.hidden("version", version.to_string());
    let title = visit.t("console.second_factor.title")?;
    let submit = visit.t("console.save")?;
    let everyone = effective.second_factor_rule(false);
    let administrators = effective.second_factor_rule(true);
    Ok(FormCard {
        text: Some(visit.t("console.second_factor.text")?),
        fields: vec![
            rule_field(visit, EVERYONE, own.everyone, everyone)?,
            rule_field(visit, ADMINISTRATORS, own.administrators, administrators)?,
            from_field(visit, own.required_from, effective)?,
        ],
        ..FormCard::new(CARD, title, post, submit)
    })
}

fn rule_field(
    visit: &Visit,
    name: &str,
    own: Option<SecondFactorRule>,
    in_force: SecondFactorRule,
) -> Result<Field, PageProblem> {
    let label = visit.t(&format!("console.second_factor.{name}"))?;
    let chosen = own.map_or("inherit", SecondFactorRule::as_str);
    let mut field = Field::new(FieldKind::Choice, name, label).value(chosen);
    let word = |value: &str| visit.t(&format!("console.second_factor.{value}"));
    let inherit = match name {
        ADMINISTRATORS => "as_everyone",
        _ => "inherit",
    };
    field = field.option("inherit", word(inherit)?);
    for rule in SecondFactorRule::ALL {
        field = field.option(rule.as_str(), word(rule.as_str())?);
    }
    if own != Some(in_force) {
        let values = [("value", word(in_force.as_str())?)];
        let values = values
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        field = field.help(visit.tv("console.settings.in_force", &values)?);
    }
    Ok(field)
}

fn from_field(
    visit: &Visit,
    own: Option<Timestamp>,
    effective: &EffectiveSettings,
) -> Result<Field, PageProblem> {
    let label = visit.t("console.second_factor.from")?;
    let mut field = Field::new(FieldKind::Text, FROM, label).optional();
    field.value = own.map(|from| from.to_string());
    let inherited = effective
        .second_factor_required_from
        .filter(|_| own.is_none());
    let help = match inherited {
        Some(from) => {
            let when = visit.time(from)?;
            visit.tv(
                "console.settings.in_force",
                &[("value", when.text.as_str())],
            )?
        }
        None => visit.t("console.second_factor.from.help")?,
    };
    Ok(field.help(help))
}
