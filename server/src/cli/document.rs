//! The JSON documents that commands answer with: the objects of the HTTP
//! interface, so that a program reads one form of each.

use gatelodge_core::{
    model::{Application, EffectiveSettings, Grant, Session, Tenant, TenantSettings, User},
    provider::{Credential, Device},
    service::SignInMethod,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::api::{
    account_devices::DeviceJson,
    types::{ApplicationJson, EndedJson, SessionJson, TenantJson, UserJson},
    user_factors::FactorJson,
};

/// A tenant as it stands at `now`.
pub(super) fn tenant(tenant: &Tenant, now: Timestamp) -> Value {
    value(TenantJson::new(tenant, now))
}

/// A user as it stands at `now`.
pub(super) fn user(user: &User, of: &Tenant, now: Timestamp) -> Value {
    value(UserJson::new(of.id, user, now))
}

/// A user with what it is granted.
pub(super) fn user_with_grants(of: &Tenant, who: &User, grants: &[Grant], now: Timestamp) -> Value {
    value(UserJson::new(of.id, who, now).with_grants(grants))
}

/// A registered application.
pub(super) fn application(application: &Application) -> Value {
    value(ApplicationJson::from(application))
}

/// A session as it stands at `now`.
pub(super) fn session(session: &Session, now: Timestamp) -> Value {
    value(SessionJson::new(session, now, None))
}

/// A second factor of a user.
pub(super) fn factor(method: &SignInMethod, credential: &Credential) -> Value {
    value(FactorJson::new(method, credential))
}

/// A device that a user stays signed in on.
pub(super) fn device(device: &Device) -> Value {
    value(DeviceJson::new(device, None))
}

/// How many sessions were ended.
pub(super) fn ended(ended: u64) -> Value {
    value(EndedJson { ended })
}

/// A tenant's own settings, their version, and those in force.
pub(super) fn settings(own: &TenantSettings, version: i64, in_force: &EffectiveSettings) -> Value {
    let minutes = |span: std::time::Duration| span.as_secs() / 60;
    json!({
        "own": own,
        "effective": {
            "session": {
                "idle_minutes": minutes(in_force.session_idle),
                "absolute_minutes": minutes(in_force.session_absolute),
                "limit": in_force.session_limit,
                "at_limit": in_force.session_at_limit,
                "remember_days": in_force.session_remember.as_secs() / 86_400,
            },
            "registration": {
                "enabled": in_force.registration_enabled,
                "email_required": in_force.registration_email_required,
                "display_name_required": in_force.registration_display_name_required,
                "email_verified": in_force.registration_email_verified,
            },
            "second_factor": {
                "everyone": in_force.second_factor_everyone,
                "administrators": in_force.second_factor_administrators,
                "required_from": in_force.second_factor_required_from,
            },
            "sign_in": {
                "providers": in_force.sign_in_providers,
            },
        },
        "version": version,
    })
}

/// An object with one more member.
pub(super) fn with(mut object: Value, name: &str, value: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    object
}

/// These objects are plain data; there is nothing in them that JSON lacks.
fn value(object: impl Serialize) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_one_name_whether_own_or_in_force() {
        let document = settings(&TenantSettings::default(), 0, &EffectiveSettings::default());
        let names = |whose: &str| {
            let sections = document[whose].as_object().unwrap();
            let names = sections.iter().flat_map(|(section, keys)| {
                let keys = keys.as_object().unwrap().keys();
                keys.map(move |key| format!("{section}.{key}"))
            });
            names.collect::<Vec<_>>()
        };
        assert_eq!(names("own"), names("effective"));
        assert_eq!(names("own").len(), 13);
    }
}
