//! Settings that a tenant may have of its own. What is unset is inherited from
//! its master, then from the platform's configuration.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ProviderId;
use crate::{Error, Result};

/// A tenant's own settings; every field is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantSettings {
    /// Sessions.
    pub session: SessionSettings,
    /// Self-registration.
    pub registration: RegistrationSettings,
    /// Second factors.
    pub second_factor: SecondFactorSettings,
    /// Ways to sign in.
    pub sign_in: SignInSettings,
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

/// Who has to have a second factor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecondFactorSettings {
    /// What holds for everyone.
    pub everyone: Option<SecondFactorRule>,
    /// What holds for those who are granted anything, where that is more than holds
    /// for everyone; unset: the same.
    pub administrators: Option<SecondFactorRule>,
    /// The first moment at which it is required of whom it is required of. Until
    /// then they are reminded; unset: it is.
    pub required_from: Option<Timestamp>,
}

/// What holds for second factors, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactorRule {
    /// None can be set up. Whoever has one is asked for it all the same.
    Off,
    /// Whoever wants sets one up.
    Optional,
    /// Nobody is let in without.
    Required,
}

impl SecondFactorRule {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Optional, Self::Required];

    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }

    /// Reads a stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == text)
    }
}

/// Which ways to sign in are offered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignInSettings {
    /// Those of the configured providers that are offered, in any order; unset: all that
    /// the configuration has for the tenant.
    pub providers: Option<Vec<ProviderId>>,
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
    /// What holds for everyone's second factors.
    pub second_factor_everyone: SecondFactorRule,
    /// What holds for those of administrators, where that is more.
    pub second_factor_administrators: Option<SecondFactorRule>,
    /// The first moment at which one is required of whom it is required of.
    pub second_factor_required_from: Option<Timestamp>,
    /// The providers that are offered; `None`: all that are configured for the tenant.
    pub sign_in_providers: Option<Vec<ProviderId>>,
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
            second_factor_everyone: SecondFactorRule::Optional,
            second_factor_administrators: None,
            second_factor_required_from: None,
            sign_in_providers: None,
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
        set(&mut self.second_factor_everyone, own.second_factor.everyone);
        self.second_factor_administrators = own
            .second_factor
            .administrators
            .or(self.second_factor_administrators);
        self.second_factor_required_from = own
            .second_factor
            .required_from
            .or(self.second_factor_required_from);
        if own.sign_in.providers.is_some() {
            self.sign_in_providers.clone_from(&own.sign_in.providers);
        }
        self
    }

    /// Whether these settings let a configured provider be offered.
    pub fn sign_in_by(&self, provider: &ProviderId) -> bool {
        let offered = self.sign_in_providers.as_ref();
        offered.is_none_or(|offered| offered.contains(provider))
    }

    /// What holds for the second factors of somebody, who is granted something or
    /// not.
    pub fn second_factor_rule(&self, is_administrator: bool) -> SecondFactorRule {
        let everyone = self.second_factor_everyone;
        match self.second_factor_administrators {
            Some(more) if is_administrator => everyone.max(more),
            _ => everyone,
        }
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
