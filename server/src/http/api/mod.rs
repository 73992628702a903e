//! The JSON API. One endpoint, one file: its request, its handler, its
//! description. What they have in common stands here.

pub(crate) mod account_devices;
mod account_factors;
mod account_identities;
mod account_sessions;
mod account_sessions_end;
mod account_tenants;
mod application_create;
mod application_delete;
mod application_list;
mod application_read;
mod application_update;
mod audit_events;
mod flow_answer;
mod flow_cancel;
mod flow_read;
mod flow_schema;
mod flow_start;
mod forward_auth;
mod keys;
mod session_end;
mod session_read;
mod setup;
mod tenant_create;
mod tenant_delete;
mod tenant_list;
mod tenant_lock;
mod tenant_read;
mod tenant_rules;
mod tenant_sessions;
mod tenant_settings;
mod tenant_update;
mod token;
pub mod types;
mod user_create;
mod user_delete;
mod user_devices;
pub(crate) mod user_factors;
mod user_grants;
mod user_identities;
mod user_link;
mod user_list;
mod user_lock;
mod user_must_change;
mod user_read;
mod user_sessions;
mod user_update;

use gatelodge_core::{
    model::{ApplicationId, Tenant, UserId},
    service::TenantRef,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    caller::Requester,
    problem::{Code, Problem},
};
use crate::app::App;

/// Every route of the API, each described.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(setup::set_up))
        .routes(routes!(flow_start::start_flow))
        .routes(routes!(
            flow_read::read_flow,
            flow_answer::answer_flow,
            flow_cancel::cancel_flow
        ))
        .routes(routes!(
            session_read::read_session,
            session_end::end_session
        ))
        .routes(routes!(
            account_sessions::list_own_sessions,
            account_sessions_end::end_other_sessions
        ))
        .routes(routes!(account_sessions_end::end_own_session))
        .routes(routes!(account_devices::list_own_devices))
        .routes(routes!(account_devices::forget_own_device))
        .routes(routes!(account_factors::list_own_factors))
        .routes(routes!(account_identities::list_own_identities))
        .routes(routes!(account_tenants::list_own_tenants))
        .routes(routes!(
            tenant_list::list_tenants,
            tenant_create::create_tenant
        ))
        .routes(routes!(
            tenant_read::read_tenant,
            tenant_update::update_tenant,
            tenant_delete::delete_tenant
        ))
        .routes(routes!(
            tenant_lock::lock_tenant,
            tenant_lock::unlock_tenant
        ))
        .routes(routes!(
            tenant_settings::read_settings,
            tenant_settings::replace_settings
        ))
        .routes(routes!(tenant_rules::list_rules))
        .routes(routes!(tenant_sessions::list_sessions))
        .routes(routes!(tenant_sessions::end_session_of_tenant))
        .routes(routes!(audit_events::list_audit_events))
        .routes(routes!(
            application_list::list_applications,
            application_create::create_application
        ))
        .routes(routes!(
            application_read::read_application,
            application_update::update_application,
            application_delete::delete_application
        ))
        .routes(routes!(token::create_token))
        .routes(routes!(forward_auth::forward_auth))
        .routes(routes!(keys::read_keys))
        .routes(routes!(user_list::list_users, user_create::create_user))
        .routes(routes!(
            user_read::read_user,
            user_update::update_user,
            user_delete::delete_user
        ))
        .routes(routes!(user_lock::lock_user, user_lock::unlock_user))
        .routes(routes!(user_must_change::require_change))
        .routes(routes!(user_grants::give_grant, user_grants::take_grant))
        .routes(routes!(user_link::make_user_link))
        .routes(routes!(user_factors::list_user_factors))
        .routes(routes!(user_factors::remove_user_factor))
        .routes(routes!(user_identities::list_user_identities))
        .routes(routes!(user_identities::unlink_user_identity))
        .routes(routes!(user_devices::list_user_devices))
        .routes(routes!(user_devices::forget_user_device))
        .routes(routes!(
            user_sessions::list_user_sessions,
            user_sessions::end_user_sessions
        ))
}

/// The tenant that the path names, by id or name, as far as the caller may
/// know of it.
pub(crate) async fn tenant(
    app: &App,
    requester: &Requester,
    named: &str,
) -> Result<Tenant, Problem> {
    let named = TenantRef::parse(named);
    let tenants = app.platform().tenants();
    Ok(tenants.resolve(&requester.caller, &named).await?)
}

/// The user id in the path; what cannot be one is not found, once the caller
/// is known to be allowed to ask.
pub(crate) fn user_id(text: &str) -> Result<UserId, Problem> {
    text.parse()
        .map_err(|_| Problem::new(Code::NotFound).detail("there is no such user"))
}

/// The same for an application.
pub(crate) fn application_id(text: &str) -> Result<ApplicationId, Problem> {
    text.parse()
        .map_err(|_| Problem::new(Code::NotFound).detail("there is no such application"))
}
