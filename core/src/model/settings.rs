//! Settings that a tenant may have of its own. What is unset is inherited from
//! its master, then from the platform's configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A tenant's own settings; every field is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantSettings {
    /// Sessions.
    pub session: SessionSettings,
    /// Self-registration.
    pub registration: RegistrationSettings,
}

/// How long sessions last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionSettings {
    /// Minutes without use after which a session ends, 1 to 43,200 (30 days).
    pub idle_minutes: Option<u32>,
    /// Minutes after which a session ends however active, 1 to 43,200 (30 days).
    pub absolute_minutes: Option<u32>,
    /// How many sessions one user may have at a time, 1 to 10,000; unset: any number.
    pub limit: Option<u32>,
    /// What happens at the limit.
    pub at_limit: Option<AtLimit>,
    /// Days for which a device keeps somebody signed in who asks for it, 0 to 30;
    /// 0: it is not offered.
    pub remember_days: Option<u32>,
}

/// What happens when a user has as many sessions as allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    /// The new sign-in is refused.
    Refuse,
    /// The session that was longest unused ends.
    ReplaceOldest,
}

/// Who may make an account for themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationSettings {
    /// Whether people may register themselves.
    pub enabled: Option<bool>,
    /// Whether an e-mail address must be given.
    pub email_required: Option<bool>,
    /// Whether a display name must be given.
    pub display_name_required: Option<bool>,
    /// Whether somebody with an e-mail address is let in only once it is verified.
    pub email_verified: Option<bool>,
}

/// The settings in force for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectiveSettings {
    /// A session's idle time.
    pub session_idle: Duration,
    /// A session's greatest length.
    pub session_absolute: Duration,
    /// Sessions per user.
    pub session_limit: Option<u32>,
    /// What happens at that limit.
    pub session_at_limit: AtLimit,
    /// How long a device keeps somebody signed in; zero: not at all.
    pub session_remember: Duration,
    /// Whether people may register themselves.
    pub registration_enabled: bool,
    /// Whether registration asks for an e-mail address.
    pub registration_email_required: bool,
    /// Whether registration asks for a display name.
    pub registration_display_name_required: bool,
    /// Whether somebody with an e-mail address is let in only once it is verified.
    pub registration_email_verified: bool,
}

impl Default for EffectiveSettings {
    fn default() -> Self {
        Self {
            session_idle: Duration::from_secs(30 * 60),
            session_absolute: Duration::from_secs(24 * 60 * 60),
            session_limit: None,
            session_at_limit: AtLimit::ReplaceOldest,
            session_remember: days(30),
            registration_enabled: false,
            registration_email_required: false,
            registration_display_name_required: false,
            registration_email_verified: false,
        }
    }
}

fn days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 24 * 60 * 60)
}

impl EffectiveSettings {
    /// These settings, overridden by what `own` sets.
    #[must_use]
    pub fn overridden_by(mut self, own: &TenantSettings) -> Self {
        fn set<T: Copy>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        let minutes =
            |minutes: Option<u32>| minutes.map(|m| Duration::from_secs(u64::from(m) * 60));
        set(&mut self.session_idle, minutes(own.session.idle_minutes));
        set(
            &mut self.session_absolute,
            minutes(own.session.absolute_minutes),
        );
        if own.session.limit.is_some() {
            self.session_limit = own.session.limit;
        }
        set(&mut self.session_at_limit, own.session.at_limit);
        set(
            &mut self.session_remember,
            own.session.remember_days.map(days),
        );
        set(&mut self.registration_enabled, own.registration.enabled);
        set(
            &mut self.registration_email_required,
            own.registration.email_required,
        );
        set(
            &mut self.registration_display_name_required,
            own.registration.display_name_required,
        );
        set(
            &mut self.registration_email_verified,
            own.registration.email_verified,
        );
        self
    }
}

impl TenantSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`], naming the setting.
    pub fn check(&self) -> Result<()> {
        let minutes = |field: &'static str, value: Option<u32>| match value {
            Some(value) if !(1..=43_200).contains(&value) => Err(Error::invalid(
                field,
                format!("expected 1 to 43200 minutes, found {value}"),
            )),
            _ => Ok(()),
        };
        minutes("session.idle_minutes", self.session.idle_minutes)?;
        minutes("session.absolute_minutes", self.session.absolute_minutes)?;
        if let Some(days) = self.session.remember_days
            && days > 30
        {
            return Err(Error::invalid(
                "session.remember_days",
                format!("expected 0 to 30 days, found {days}"),
            ));
        }
        match self.session.limit {
            Some(limit) if !(1..=10_000).contains(&limit) => Err(Error::invalid(
                "session.limit",
                format!("expected 1 to 10000 sessions, found {limit}"),
            )),
            _ => Ok(()),
        }
    }
}
