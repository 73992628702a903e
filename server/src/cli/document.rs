//! The JSON documents that commands answer with. Times are RFC 3339, in UTC.

use gatelodge_core::model::{
    EffectiveSettings, Grant, Lock, Session, Tenant, TenantSettings, User,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A tenant as it stands at `now`.
pub(super) fn tenant(tenant: &Tenant, now: Timestamp) -> Value {
    json!({
        "id": tenant.id,
        "name": tenant.name,
        "display_name": tenant.display_name,
        "locked": tenant.is_locked_at(now),
        "lock": lock(tenant.lock.as_ref(), now),
        "created_at": tenant.created_at,
        "version": tenant.version,
    })
}

/// A user as it stands at `now`.
pub(super) fn user(user: &User, of: &Tenant, now: Timestamp) -> Value {
    json!({
        "id": user.id,
        "tenant": named(of),
        "user_name": user.user_name,
        "display_name": user.display_name,
        "email": user.email,
        "email_verified": user.email_verified,
        "status": user.status,
        "locked": user.is_locked_at(now),
        "lock": lock(user.lock.as_ref(), now),
        "must_change": user.must_change,
        "created_at": user.created_at,
        "version": user.version,
    })
}

/// A user with what it is granted.
pub(super) fn user_with_grants(of: &Tenant, who: &User, grants: &[Grant], now: Timestamp) -> Value {
    with(user(who, of, now), "grants", json!(grants))
}

/// A session as it stands at `now`.
pub(super) fn session(session: &Session, now: Timestamp) -> Value {
    json!({
        "id": session.id,
        "user": { "id": session.user, "user_name": session.user_name },
        "valid": session.is_valid_at(now),
        "started_at": session.started_at,
        "last_active_at": session.last_active_at,
        "ends_at": session.ends_at(),
        "expires_at": session.expires_at,
        "auth_time": session.auth_time(),
        "amr": session.amr(),
        "scope": session.scope,
        "address": session.client.address,
        "user_agent": session.client.user_agent,
        "ended": session.ended.map(|end| json!({ "at": end.at, "reason": end.reason })),
    })
}

/// A tenant's own settings and those in force.
pub(super) fn settings(
    of: &Tenant,
    (own, version): (&TenantSettings, i64),
    in_force: &EffectiveSettings,
) -> Value {
    let minutes = |span: std::time::Duration| span.as_secs() / 60;
    json!({
        "tenant": named(of),
        "version": version,
        "own": own,
        "in_force": {
            "session": {
                "idle_minutes": minutes(in_force.session_idle),
                "absolute_minutes": minutes(in_force.session_absolute),
                "limit": in_force.session_limit,
                "at_limit": in_force.session_at_limit,
            },
            "registration": {
                "enabled": in_force.registration_enabled,
                "email_required": in_force.registration_email_required,
                "display_name_required": in_force.registration_display_name_required,
            },
        },
    })
}

/// A tenant as part of something else.
pub(super) fn named(tenant: &Tenant) -> Value {
    json!({ "id": tenant.id, "name": tenant.name })
}

/// An object with one more member.
pub(super) fn with(mut object: Value, name: &str, value: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    object
}

/// A lock that no longer holds is none.
fn lock(lock: Option<&Lock>, now: Timestamp) -> Value {
    let held = lock.filter(|lock| lock.holds_at(now));
    held.map_or(
        Value::Null,
        |lock| json!({ "reason": lock.reason, "since": lock.since, "until": lock.until }),
    )
}
