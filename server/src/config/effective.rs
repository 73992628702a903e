//! The configuration in the terms of the core: what holds for a tenant that sets nothing of its own.

use std::time::Duration;

use gatelodge_core::{
    limits::{LaneLimit, LimitPolicy},
    model::{AtLimit as CoreAtLimit, EffectiveSettings},
    tokens::{KeyPolicy, SigningAlgorithm},
};

use super::{AtLimit, Config, RequiredAttribute, TokenAlgorithm};

impl Config {
    /// What holds for a tenant without settings of its own.
    pub fn effective_settings(&self) -> EffectiveSettings {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let requires = |attribute| self.registration.required.contains(&attribute);
        EffectiveSettings {
            session_idle: minutes(self.session.idle_minutes.into()),
            session_absolute: minutes(u64::from(self.session.absolute_hours) * 60),
            session_limit: self.session.per_user_limit,
            session_at_limit: match self.session.at_limit {
                AtLimit::Refuse => CoreAtLimit::Refuse,
                AtLimit::ReplaceOldest => CoreAtLimit::ReplaceOldest,
            },
            session_remember: Duration::from_secs(u64::from(self.session.remember_days) * 86_400),
            registration_enabled: self.registration.enabled,
            registration_email_required: requires(RequiredAttribute::Email),
            registration_display_name_required: requires(RequiredAttribute::DisplayName),
            registration_email_verified: self.registration.email_verified,
            second_factor_everyone: self.second_factor.everyone.into(),
            second_factor_administrators: self.second_factor.administrators.map(Into::into),
            second_factor_required_from: self.second_factor.required_from,
            // `[[providers]]` itself says it.
            sign_in_providers: None,
        }
    }

    /// How keys that sign tokens are made and replaced.
    pub fn key_policy(&self) -> KeyPolicy {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        KeyPolicy {
            algorithm: match self.tokens.algorithm {
                TokenAlgorithm::EdDsa => SigningAlgorithm::EdDsa,
                TokenAlgorithm::Es256 => SigningAlgorithm::Es256,
            },
            rotate_after: DAY * self.tokens.rotate_days,
        }
    }

    /// What slows guessing down.
    pub fn limit_policy(&self) -> LimitPolicy {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let limits = &self.limits;
        LimitPolicy {
            account: LaneLimit {
                free_tries: limits.free_tries,
                first_delay: seconds(limits.first_delay_seconds),
                longest_delay: seconds(limits.max_delay_seconds),
                disabled_after: Some(limits.disable_after),
                forgotten_after: None,
            },
            network: LaneLimit {
                free_tries: limits.network_free_tries,
                first_delay: seconds(limits.network_first_delay_seconds),
                longest_delay: seconds(limits.network_max_delay_seconds),
                disabled_after: None,
                forgotten_after: Some(60 * seconds(limits.network_forget_minutes)),
            },
            flows_per_minute: limits.flows_per_network_per_minute,
        }
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_core::model::SecondFactorRule as CoreRule;

    use super::*;
    use crate::config::SecondFactorRule;

    #[test]
    fn the_defaults_are_those_of_the_core() {
        assert_eq!(
            Config::default().effective_settings(),
            EffectiveSettings::default()
        );
        assert_eq!(Config::default().limit_policy(), LimitPolicy::default());
    }

    #[test]
    fn every_setting_reaches_the_core() {
        let mut config = Config::default();
        config.session.idle_minutes = 7;
        config.session.absolute_hours = 2;
        config.session.per_user_limit = Some(3);
        config.session.at_limit = AtLimit::Refuse;
        config.session.remember_days = 5;
        config.registration.enabled = true;
        config.registration.email_verified = true;
        let from = jiff::Timestamp::from_second(1_800_000_000).ok();
        config.second_factor.everyone = SecondFactorRule::Off;
        config.second_factor.administrators = Some(SecondFactorRule::Required);
        config.second_factor.required_from = from;
        config.registration.required =
            vec![RequiredAttribute::Email, RequiredAttribute::DisplayName];
        let expected = EffectiveSettings {
            session_idle: Duration::from_secs(420),
            session_absolute: Duration::from_secs(7_200),
            session_limit: Some(3),
            session_at_limit: CoreAtLimit::Refuse,
            session_remember: Duration::from_secs(432_000),
            registration_enabled: true,
            registration_email_required: true,
            registration_display_name_required: true,
            registration_email_verified: true,
            second_factor_everyone: CoreRule::Off,
            second_factor_administrators: Some(CoreRule::Required),
            second_factor_required_from: from,
            sign_in_providers: None,
        };
        assert_eq!(config.effective_settings(), expected);
    }
}
