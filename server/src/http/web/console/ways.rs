//! Which of the configured ways to sign in a tenant offers.

use gatelodge_core::{
    Error,
    model::{EffectiveSettings, ProviderId, Tenant, TenantSettings},
    provider::Configured,
};

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
const CARD: &str = "ways";
const WHOSE: &str = "whose";
const INHERIT: &str = "inherit";
const OWN: &str = "own";

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
        rejected.map(|rejected| rejected.renamed("sign_in.providers", WHOSE))
    };
    let tenants = visit.platform().tenants();
    let version = visit
        .fields
        .version()
        .map_err(|problem| Err(problem.into()))?;
    let read = tenants.settings(visit.caller(), tenant.id).await;
    let (mut new, _, _) = read.map_err(core)?;
    new.sign_in.providers = chosen(visit, tenant).map_err(Ok)?;
    let stored = tenants.put_settings(visit.caller(), tenant.id, version, new);
    stored.await.map(|_| ()).map_err(core)
}

/// The ways that are ticked; `None` for what is inherited.
fn chosen(visit: &Visit, tenant: &Tenant) -> Result<Option<Vec<ProviderId>>, Rejected> {
    let ways = visit.platform().tenants().ways(tenant);
    match visit.fields.text(WHOSE) {
        Some(INHERIT) => Ok(None),
        Some(OWN) => {
            let ids = ways.into_iter().map(|way| way.id.clone());
            let ticked = ids.filter(|id| visit.fields.ticked(&name(id)));
            Ok(Some(ticked.collect()))
        }
        _ => {
            let message = "choose one of the offered values".to_owned();
            Err(Rejected::about(WHOSE, message))
        }
    }
}

fn name(id: &ProviderId) -> String {
    format!("way-{id}")
}

pub(super) fn card(
    visit: &Visit,
    (path, tenant): (&str, &Tenant),
    (own, version): (&TenantSettings, i64),
    effective: &EffectiveSettings,
) -> Result<FormCard, PageProblem> {
    let post = visit.post(&format!("{path}/{CARD}"));
    let post = post.hidden("version", version.to_string());
    let text = |part: &str| visit.t(&format!("console.ways.{part}"));
    let value = match own.sign_in.providers {
        Some(_) => OWN,
        None => INHERIT,
    };
    let whose = Field::new(FieldKind::Choice, WHOSE, text("whose")?).value(value);
    let whose = whose
        .option(INHERIT, text(INHERIT)?)
        .option(OWN, text(OWN)?);
    let ways = visit.platform().tenants().ways(tenant).into_iter();
    let ways = ways.map(|way| way_field(way, effective));
    Ok(FormCard {
        text: Some(text("text")?),
        fields: [whose].into_iter().chain(ways).collect(),
        ..FormCard::new(CARD, text("title")?, post, visit.t("console.save")?)
    })
}

/// A way, ticked where it is offered as it is.
fn way_field(way: &Configured, effective: &EffectiveSettings) -> Field {
    let mut field = Field::new(FieldKind::Checkbox, name(&way.id), &way.description.label);
    field.value = effective.sign_in_by(&way.id).then(|| "true".to_owned());
    field
}
