use axum::{Json, extract::State, http::HeaderMap};
use gatelodge_core::model::{
    AtLimit, EffectiveSettings, ProviderId, RegistrationSettings, SecondFactorRule,
    SecondFactorSettings, SessionSettings, SignInSettings, TenantSettings,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::App,
    http::{
        caller::Requester,
        extract::{Body, IfMatch, Place, object, tagged},
        problem::{Problem, ProblemBody},
    },
};

/// A tenant's own settings; what is absent or `null` is inherited.
#[derive(Debug, Default, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SettingsJson {
    #[serde(deserialize_with = "object")]
    session: SessionSettingsJson,
    #[serde(deserialize_with = "object")]
    registration: RegistrationSettingsJson,
    #[serde(deserialize_with = "object")]
    second_factor: SecondFactorSettingsJson,
    #[serde(deserialize_with = "object")]
    sign_in: SignInSettingsJson,
}

#[derive(Debug, Default, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct SessionSettingsJson {
    /// Minutes without use after which a session ends.
    #[schema(minimum = 1, maximum = 43_200)]
    idle_minutes: Option<u32>,
    /// Minutes after which a session ends however active.
    #[schema(minimum = 1, maximum = 43_200)]
    absolute_minutes: Option<u32>,
    /// Sessions that one user may have at a time.
    #[schema(minimum = 1, maximum = 10_000)]
    limit: Option<u32>,
    /// What happens at the limit.
    at_limit: Option<AtLimitJson>,
    /// Days for which a device keeps somebody signed in who asks for it; 0: not offered.
    #[schema(minimum = 0, maximum = 30)]
    remember_days: Option<u32>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AtLimitJson {
    Refuse,
    ReplaceOldest,
}

#[derive(Debug, Default, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct RegistrationSettingsJson {
    /// Whether people may register themselves.
    enabled: Option<bool>,
    /// Whether an e-mail address must be given.
    email_required: Option<bool>,
    /// Whether a display name must be given.
    display_name_required: Option<bool>,
    /// Whether somebody with an e-mail address is let in only once it is verified.
    email_verified: Option<bool>,
}

#[derive(Debug, Default, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct SecondFactorSettingsJson {
    /// What holds for everyone.
    everyone: Option<SecondFactorRuleJson>,
    /// What holds for those who are granted anything, where that is more; unset: the same.
    administrators: Option<SecondFactorRuleJson>,
    /// From when on `required` holds; until then people are reminded. Unset: at once.
    required_from: Option<Timestamp>,
}

#[derive(Debug, Default, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct SignInSettingsJson {
    /// The ids of those configured providers that are offered; unset: all of them.
    #[schema(value_type = Option<Vec<String>>)]
    providers: Option<Vec<ProviderId>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SecondFactorRuleJson {
    /// None can be set up. Whoever has one is asked for it all the same.
    Off,
    /// Whoever wants sets one up.
    Optional,
    /// Nobody is let in without.
    Required,
}

/// Settings: the tenant's own, and what is in force.
#[derive(Serialize, ToSchema)]
pub struct SettingsAnswer {
    own: SettingsJson,
    effective: SettingsJson,
}

/// A tenant's settings.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}/settings", operation_id = "read_settings", tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's id or name")),
    responses(
        (status = 200, body = SettingsAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read_settings(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
) -> Result<(HeaderMap, Json<SettingsAnswer>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?;
    answer(&app, &requester, tenant.id).await
}

/// Replace a tenant's own settings.
///
/// With `If-Match`, only if they are still that version.
#[utoipa::path(
    put, path = "/api/v1/tenants/{tenant}/settings", operation_id = "replace_settings", tag = "tenants",
    params(
        ("tenant" = String, Path, description = "The tenant's id or name"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read"),
    ),
    request_body = SettingsJson,
    responses(
        (status = 200, body = SettingsAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn replace_settings(
    State(app): State<App>,
    requester: Requester,
    Place(tenant): Place<String>,
    IfMatch(version): IfMatch,
    Body(request): Body<SettingsJson>,
) -> Result<(HeaderMap, Json<SettingsAnswer>), Problem> {
    let tenant = super::tenant(&app, &requester, &tenant).await?;
    app.platform()
        .tenants()
        .put_settings(&requester.caller, tenant.id, version, request.into())
        .await
        .map_err(|error| Problem::with_if_match(error, version.is_some()))?;
    answer(&app, &requester, tenant.id).await
}

async fn answer(
    app: &App,
    requester: &Requester,
    tenant: gatelodge_core::model::TenantId,
) -> Result<(HeaderMap, Json<SettingsAnswer>), Problem> {
    let tenants = app.platform().tenants();
    let (own, version, effective) = tenants.settings(&requester.caller, tenant).await?;
    let body = SettingsAnswer {
        own: own.into(),
        effective: effective.into(),
    };
    Ok((tagged(version), Json(body)))
}

impl From<SettingsJson> for TenantSettings {
    fn from(json: SettingsJson) -> Self {
        Self {
            session: SessionSettings {
                idle_minutes: json.session.idle_minutes,
                absolute_minutes: json.session.absolute_minutes,
                limit: json.session.limit,
                at_limit: json.session.at_limit.map(|at_limit| match at_limit {
                    AtLimitJson::Refuse => AtLimit::Refuse,
                    AtLimitJson::ReplaceOldest => AtLimit::ReplaceOldest,
                }),
                remember_days: json.session.remember_days,
            },
            registration: RegistrationSettings {
                enabled: json.registration.enabled,
                email_required: json.registration.email_required,
                display_name_required: json.registration.display_name_required,
                email_verified: json.registration.email_verified,
            },
            second_factor: SecondFactorSettings {
                everyone: json.second_factor.everyone.map(Into::into),
                administrators: json.second_factor.administrators.map(Into::into),
                required_from: json.second_factor.required_from,
            },
            sign_in: SignInSettings {
                providers: json.sign_in.providers,
            },
        }
    }
}

impl From<SecondFactorRuleJson> for SecondFactorRule {
    fn from(rule: SecondFactorRuleJson) -> Self {
        match rule {
            SecondFactorRuleJson::Off => Self::Off,
            SecondFactorRuleJson::Optional => Self::Optional,
            SecondFactorRuleJson::Required => Self::Required,
        }
    }
}

impl From<SecondFactorRule> for SecondFactorRuleJson {
    fn from(rule: SecondFactorRule) -> Self {
        match rule {
            SecondFactorRule::Off => Self::Off,
            SecondFactorRule::Optional => Self::Optional,
            SecondFactorRule::Required => Self::Required,
        }
    }
}

fn at_limit(at_limit: AtLimit) -> AtLimitJson {
    match at_limit {
        AtLimit::Refuse => AtLimitJson::Refuse,
        AtLimit::ReplaceOldest => AtLimitJson::ReplaceOldest,
    }
}

impl From<TenantSettings> for SettingsJson {
    fn from(settings: TenantSettings) -> Self {
        Self {
            session: SessionSettingsJson {
                idle_minutes: settings.session.idle_minutes,
                absolute_minutes: settings.session.absolute_minutes,
                limit: settings.session.limit,
                at_limit: settings.session.at_limit.map(at_limit),
                remember_days: settings.session.remember_days,
            },
            registration: RegistrationSettingsJson {
                enabled: settings.registration.enabled,
                email_required: settings.registration.email_required,
                display_name_required: settings.registration.display_name_required,
                email_verified: settings.registration.email_verified,
            },
            second_factor: SecondFactorSettingsJson {
                everyone: settings.second_factor.everyone.map(Into::into),
                administrators: settings.second_factor.administrators.map(Into::into),
                required_from: settings.second_factor.required_from,
            },
            sign_in: SignInSettingsJson {
                providers: settings.sign_in.providers,
            },
        }
    }
}

impl From<EffectiveSettings> for SettingsJson {
    fn from(settings: EffectiveSettings) -> Self {
        let minutes = |span: std::time::Duration| u32::try_from(span.as_secs() / 60).ok();
        let days = |span: std::time::Duration| u32::try_from(span.as_secs() / 86_400).ok();
        Self {
            session: SessionSettingsJson {
                idle_minutes: minutes(settings.session_idle),
                absolute_minutes: minutes(settings.session_absolute),
                limit: settings.session_limit,
                at_limit: Some(at_limit(settings.session_at_limit)),
                remember_days: days(settings.session_remember),
            },
            registration: RegistrationSettingsJson {
                enabled: Some(settings.registration_enabled),
                email_required: Some(settings.registration_email_required),
                display_name_required: Some(settings.registration_display_name_required),
                email_verified: Some(settings.registration_email_verified),
            },
            second_factor: SecondFactorSettingsJson {
                everyone: Some(settings.second_factor_everyone.into()),
                administrators: settings.second_factor_administrators.map(Into::into),
                required_from: settings.second_factor_required_from,
            },
            sign_in: SignInSettingsJson {
                providers: settings.sign_in_providers,
            },
        }
    }
}
