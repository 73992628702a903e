//! `gatelodge tenant settings`

use clap::Args;
use gatelodge_core::model::{
    AtLimit, EffectiveSettings, ProviderId, SecondFactorRule, TenantSettings,
};
use jiff::Timestamp;

use super::{
    administration::Administration, document, failure::Failure, tenant::ThisTenant, text::quoted,
};

#[derive(Debug, Args)]
#[command(after_help = KEYS)]
pub(super) struct SettingsArguments {
    #[command(flatten)]
    this: ThisTenant,
    /// Give the tenant a value of its own, such as `session.idle_minutes=15`; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_assignment)]
    set: Vec<(Key, String)>,
    /// Take the tenant's own value away, so that the platform's holds again; may be repeated
    #[arg(long, value_name = "KEY", value_parser = Key::parse)]
    unset: Vec<Key>,
}

const KEYS: &str = "\
Keys:
  session.idle_minutes                a session without activity ends after this; 1 to 43200 minutes
  session.absolute_minutes            a session ends after this, active or not; 1 to 43200 minutes
  session.limit                       how many sessions a user may have at a time; 1 to 10000
  session.at_limit                    `refuse` the next sign-in, or `replace_oldest` session
  session.remember_days               for how many days a device keeps somebody signed in; 0 to 30
  registration.enabled                whether people may make their own accounts; `true` or `false`
  registration.email_required         whether they must state an e-mail address; `true` or `false`
  registration.display_name_required  whether they must state a display name; `true` or `false`
  registration.email_verified         whether an address must be verified before sign-in; `true` or `false`
  second_factor.everyone              a second factor is `off`, `optional` or `required` for everyone
  second_factor.administrators        the same for those who are granted anything, where that is more
  second_factor.required_from         from when on `required` holds, such as `2027-01-01T00:00:00Z`
  sign_in.providers                   the ways to sign in that are offered, by their ids: `password,totp`";

/// A setting of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    IdleMinutes,
    AbsoluteMinutes,
    Limit,
    AtLimit,
    RememberDays,
    RegistrationEnabled,
    EmailRequired,
    DisplayNameRequired,
    EmailVerified,
    SecondFactorEveryone,
    SecondFactorAdministrators,
    SecondFactorRequiredFrom,
    SignInProviders,
}

impl Key {
    const ALL: [Self; 13] = [
        Self::IdleMinutes,
        Self::AbsoluteMinutes,
        Self::Limit,
        Self::AtLimit,
        Self::RememberDays,
        Self::RegistrationEnabled,
        Self::EmailRequired,
        Self::DisplayNameRequired,
        Self::EmailVerified,
        Self::SecondFactorEveryone,
        Self::SecondFactorAdministrators,
        Self::SecondFactorRequiredFrom,
        Self::SignInProviders,
    ];

    /// Its name in the settings' JSON, dotted.
    fn name(self) -> &'static str {
        match self {
            Self::IdleMinutes => "session.idle_minutes",
            Self::AbsoluteMinutes => "session.absolute_minutes",
            Self::Limit => "session.limit",
            Self::AtLimit => "session.at_limit",
            Self::RememberDays => "session.remember_days",
            Self::RegistrationEnabled => "registration.enabled",
            Self::EmailRequired => "registration.email_required",
            Self::DisplayNameRequired => "registration.display_name_required",
            Self::EmailVerified => "registration.email_verified",
            Self::SecondFactorEveryone => "second_factor.everyone",
            Self::SecondFactorAdministrators => "second_factor.administrators",
            Self::SecondFactorRequiredFrom => "second_factor.required_from",
            Self::SignInProviders => "sign_in.providers",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|key| key.name() == text);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL
                .iter()
                .map(|key| format!("`{}`", key.name()))
                .collect();
            format!(
                "{} is no setting; there are {}",
                quoted(text),
                names.join(", ")
            )
        })
    }
}

fn parse_assignment(text: &str) -> Result<(Key, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("expected `KEY=VALUE`, such as `session.idle_minutes=15`")?;
    Ok((Key::parse(key.trim())?, value.trim().to_owned()))
}

pub(super) async fn settings(
    on: &Administration<'_>,
    arguments: &SettingsArguments,
) -> Result<(), Failure> {
    let tenant = on.tenant(&arguments.this.tenant).await?;
    let tenants = on.platform.tenants();
    if !(arguments.set.is_empty() && arguments.unset.is_empty()) {
        let (own, version, _) = tenants.settings(&on.caller, tenant.id).await?;
        let new = changed(own, arguments)?;
        tenants
            .put_settings(&on.caller, tenant.id, Some(version), new)
            .await?;
    }
    let (own, version, in_force) = tenants.settings(&on.caller, tenant.id).await?;
    let document = document::settings(&own, version, &in_force);
    on.output.answer_fields(&document, &fields(&own, &in_force))
}

/// Each setting: its value in force, and whose it is.
fn fields(own: &TenantSettings, in_force: &EffectiveSettings) -> Vec<(&'static str, String)> {
    let field = |key: Key| {
        let whose = if is_own(own, key) {
            "the tenant's own"
        } else {
            "inherited"
        };
        (key.name(), format!("{}  ({whose})", value(in_force, key)))
    };
    Key::ALL.into_iter().map(field).collect()
}

fn is_own(own: &TenantSettings, key: Key) -> bool {
    match key {
        Key::IdleMinutes => own.session.idle_minutes.is_some(),
        Key::AbsoluteMinutes => own.session.absolute_minutes.is_some(),
        Key::Limit => own.session.limit.is_some(),
        Key::AtLimit => own.session.at_limit.is_some(),
        Key::RememberDays => own.session.remember_days.is_some(),
        Key::RegistrationEnabled => own.registration.enabled.is_some(),
        Key::EmailRequired => own.registration.email_required.is_some(),
        Key::DisplayNameRequired => own.registration.display_name_required.is_some(),
        Key::EmailVerified => own.registration.email_verified.is_some(),
        Key::SecondFactorEveryone => own.second_factor.everyone.is_some(),
        Key::SecondFactorAdministrators => own.second_factor.administrators.is_some(),
        Key::SecondFactorRequiredFrom => own.second_factor.required_from.is_some(),
        Key::SignInProviders => own.sign_in.providers.is_some(),
    }
}

fn value(in_force: &EffectiveSettings, key: Key) -> String {
    match key {
        Key::IdleMinutes => (in_force.session_idle.as_secs() / 60).to_string(),
        Key::AbsoluteMinutes => (in_force.session_absolute.as_secs() / 60).to_string(),
        Key::Limit => in_force
            .session_limit
            .map_or_else(|| "any number".to_owned(), |limit| limit.to_string()),
        Key::AtLimit => at_limit_name(in_force.session_at_limit).to_owned(),
        Key::RememberDays => (in_force.session_remember.as_secs() / 86_400).to_string(),
        Key::RegistrationEnabled => in_force.registration_enabled.to_string(),
        Key::EmailRequired => in_force.registration_email_required.to_string(),
        Key::DisplayNameRequired => in_force.registration_display_name_required.to_string(),
        Key::EmailVerified => in_force.registration_email_verified.to_string(),
        Key::SecondFactorEveryone => in_force.second_factor_everyone.as_str().to_owned(),
        Key::SecondFactorAdministrators => in_force
            .second_factor_administrators
            .map_or("as everyone", SecondFactorRule::as_str)
            .to_owned(),
        Key::SecondFactorRequiredFrom => in_force
            .second_factor_required_from
            .map_or_else(|| "at once".to_owned(), |from| from.to_string()),
        Key::SignInProviders => match &in_force.sign_in_providers {
            Some(ids) => ids
                .iter()
                .map(ProviderId::as_str)
                .collect::<Vec<_>>()
                .join(","),
            None => "all that are configured".to_owned(),
        },
    }
}

fn changed(
    mut settings: TenantSettings,
    arguments: &SettingsArguments,
) -> Result<TenantSettings, Failure> {
    for key in &arguments.unset {
        put(&mut settings, *key, None)?;
    }
    for (key, value) in &arguments.set {
        put(&mut settings, *key, Some(value))?;
    }
    Ok(settings)
}

fn put(settings: &mut TenantSettings, key: Key, value: Option<&str>) -> Result<(), Failure> {
    let number = |expected: &str| parsed(key, value, expected);
    let truth = || parsed(key, value, "`true` or `false`");
    let (session, registration) = (&mut settings.session, &mut settings.registration);
    let factor = &mut settings.second_factor;
    let rule = || value.map(|value| rule(key, value)).transpose();
    match key {
        Key::IdleMinutes => session.idle_minutes = number("a number of minutes")?,
        Key::AbsoluteMinutes => session.absolute_minutes = number("a number of minutes")?,
        Key::Limit => session.limit = number("a number of sessions")?,
        Key::AtLimit => session.at_limit = value.map(at_limit).transpose()?,
        Key::RememberDays => session.remember_days = number("a number of days")?,
        Key::RegistrationEnabled => registration.enabled = truth()?,
        Key::EmailRequired => registration.email_required = truth()?,
        Key::DisplayNameRequired => registration.display_name_required = truth()?,
        Key::EmailVerified => registration.email_verified = truth()?,
        Key::SecondFactorEveryone => factor.everyone = rule()?,
        Key::SecondFactorAdministrators => factor.administrators = rule()?,
        Key::SecondFactorRequiredFrom => {
            let expected = "a moment such as `2027-01-01T00:00:00Z`";
            factor.required_from = parsed::<Timestamp>(key, value, expected)?;
        }
        Key::SignInProviders => {
            settings.sign_in.providers = value.map(providers).transpose()?;
        }
    }
    Ok(())
}

fn parsed<T: std::str::FromStr>(
    key: Key,
    value: Option<&str>,
    expected: &str,
) -> Result<Option<T>, Failure> {
    let read = value.map(|value| value.parse().map_err(|_| wrong(key, value, expected)));
    read.transpose()
}

fn rule(key: Key, value: &str) -> Result<SecondFactorRule, Failure> {
    let expected = "`off`, `optional` or `required`";
    SecondFactorRule::parse(value).ok_or_else(|| wrong(key, value, expected))
}

/// Ids with commas between them.
fn providers(value: &str) -> Result<Vec<ProviderId>, Failure> {
    let ids = value.split(',').map(|id| ProviderId::new(id.trim()));
    let expected = "ids of providers such as `password,totp`";
    let ids: Result<_, _> = ids.collect();
    ids.map_err(|_| wrong(Key::SignInProviders, value, expected))
}

fn at_limit(value: &str) -> Result<AtLimit, Failure> {
    let both = [AtLimit::Refuse, AtLimit::ReplaceOldest];
    let found = both.into_iter().find(|one| at_limit_name(*one) == value);
    found.ok_or_else(|| wrong(Key::AtLimit, value, "`refuse` or `replace_oldest`"))
}

fn at_limit_name(at_limit: AtLimit) -> &'static str {
    match at_limit {
        AtLimit::Refuse => "refuse",
        AtLimit::ReplaceOldest => "replace_oldest",
    }
}

fn wrong(key: Key, value: &str, expected: &str) -> Failure {
    Failure::usage(format!(
        "`{}` must be {expected}, and {} is not; nothing was changed",
        key.name(),
        quoted(value)
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn arguments(set: &[&str], unset: &[Key]) -> SettingsArguments {
        SettingsArguments {
            this: ThisTenant {
                tenant: "acme".to_owned(),
            },
            set: set
                .iter()
                .map(|assignment| parse_assignment(assignment).unwrap())
                .collect(),
            unset: unset.to_vec(),
        }
    }

    #[test]
    fn every_setting_there_is_can_be_set_and_unset() {
        let all = [
            "session.idle_minutes=5",
            "session.absolute_minutes=60",
            "session.limit = 3",
            "session.at_limit=refuse",
            "session.remember_days=0",
            "registration.enabled=true",
            "registration.email_required=false",
            "registration.display_name_required=true",
            "registration.email_verified=true",
            "second_factor.everyone=optional",
            "second_factor.administrators=required",
            "second_factor.required_from=2027-01-01T00:00:00Z",
            "sign_in.providers=password, totp",
        ];
        let set = changed(TenantSettings::default(), &arguments(&all, &[])).unwrap();
        let json = serde_json::to_value(&set).unwrap();
        let sections = json.as_object().unwrap();
        let names: Vec<_> = sections
            .iter()
            .flat_map(|(section, keys)| {
                let keys = keys.as_object().unwrap().iter();
                keys.map(move |(key, value)| (format!("{section}.{key}"), value))
            })
            .collect();
        assert_eq!(names.len(), Key::ALL.len());
        for (name, value) in names {
            assert_ne!(*value, Value::Null, "{name}");
            assert!(Key::parse(&name).is_ok(), "{name}");
        }
        assert!(Key::ALL.into_iter().all(|key| is_own(&set, key)));
        let unset = changed(set, &arguments(&[], &Key::ALL)).unwrap();
        assert_eq!(unset, TenantSettings::default());
    }

    #[test]
    fn the_help_names_every_setting() {
        for key in Key::ALL {
            assert!(KEYS.contains(&format!("\n  {} ", key.name())), "{key:?}");
        }
    }

    #[test]
    fn a_wrong_value_names_the_key_and_what_is_expected() {
        let wrong = arguments(&["session.idle_minutes=soon"], &[]);
        let Err(Failure::Told(problem)) = changed(TenantSettings::default(), &wrong) else {
            panic!("refused");
        };
        assert_eq!(
            problem.messages,
            [
                "`session.idle_minutes` must be a number of minutes, and `soon` is not; nothing was changed"
            ]
        );
        for wrong in [
            "session.limit=-1",
            "session.at_limit=maybe",
            "registration.enabled=yes",
            "second_factor.everyone=sometimes",
            "second_factor.required_from=2027-01-01",
            "sign_in.providers=",
            "sign_in.providers=password;totp",
        ] {
            assert!(
                changed(TenantSettings::default(), &arguments(&[wrong], &[])).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn an_unknown_setting_is_answered_with_those_there_are() {
        let error = parse_assignment("session.idle=5").unwrap_err();
        assert!(error.starts_with("`session.idle` is no setting"), "{error}");
        assert!(error.contains("`session.idle_minutes`"), "{error}");
        assert!(parse_assignment("session.limit").is_err());
    }

    #[test]
    fn what_is_inherited_is_told_apart() {
        let own = changed(
            TenantSettings::default(),
            &arguments(&["session.idle_minutes=5"], &[]),
        )
        .unwrap();
        let in_force = EffectiveSettings::default().overridden_by(&own);
        let fields = fields(&own, &in_force);
        assert_eq!(fields[0].1, "5  (the tenant's own)");
        assert_eq!(fields[1].1, "1440  (inherited)");
        assert_eq!(fields[2].1, "any number  (inherited)");
    }
}
