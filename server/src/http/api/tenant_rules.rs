use axum::{Json, extract::State};
use gatelodge_core::{
    provider::{Requirement, Rule},
    service::ProviderRules,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::types::ListJson;
use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::Place,
        problem::{Problem, ProblemBody},
    },
};

/// The rules that a way to sign in holds people to.
#[derive(Serialize, ToSchema)]
#[schema(as = ProviderRules)]
pub struct ProviderRulesJson {
    /// The id of its provider.
    provider: String,
    /// The kind of its provider, such as `password`.
    kind: String,
    /// What it is called.
    label: String,
    /// Its rules.
    rules: Vec<RuleJson>,
}

/// A rule in force.
#[derive(Serialize, ToSchema)]
#[schema(as = Rule)]
struct RuleJson {
    /// The key of the provider's configuration that sets it, if it can be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key: Option<String>,
    /// What it says.
    text: String,
    /// The requirements that it falls short of; mostly none.
    breaks: Vec<RequirementJson>,
}

/// A requirement of a standard.
#[derive(Serialize, ToSchema)]
#[schema(as = Requirement)]
struct RequirementJson {
    /// The standard, and where it stands in it.
    id: String,
    /// What it demands.
    text: String,
}

impl From<ProviderRules> for ProviderRulesJson {
    fn from(of: ProviderRules) -> Self {
        let requirement = |Requirement { id, text }| RequirementJson { id, text };
        let rule = |Rule { key, text, breaks }| RuleJson {
            key,
            text,
            breaks: breaks.into_iter().map(requirement).collect(),
        };
        Self {
            provider: of.provider.to_string(),
            kind: of.kind,
            label: of.label,
            rules: of.rules.into_iter().map(rule).collect(),
        }
    }
}

/// The rules of the ways to sign in, such as those for passwords, and what they cost.
///
/// They are configured for the whole platform. There are few, and all of them are in one answer.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}/rules", operation_id = "list_rules", tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's id or name")),
    responses(
        (status = 200, body = ListJson<ProviderRulesJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_rules(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
) -> Result<Json<ListJson<ProviderRulesJson>>, Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?.id;
    let tenants = app.platform().tenants();
    let rules = tenants.rules(&requester.caller, tenant)?;
    Ok(Json(ListJson {
        items: rules.into_iter().map(ProviderRulesJson::from).collect(),
        next_cursor: None,
    }))
}
