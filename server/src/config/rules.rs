//! What must hold beyond the type of each single key.

use std::{collections::BTreeSet, fs};

use tracing_subscriber::filter::Targets;

use super::{
    Config,
    error::Finding,
    origin,
    schema::{self, Shape},
    tenancy::TenantOnForm,
};

/// Everything that is wrong with a decoded configuration.
pub(super) fn problems(config: &Config) -> Vec<Finding> {
    let mut problems = Vec::new();
    check_ranges(config, &mut problems);
    check_server(config, &mut problems);
    check_times(config, &mut problems);
    check_backup(config, &mut problems);
    check_messages(config, &mut problems);
    problems.extend(config.outbound.problems());
    check_tenancy(config, &mut problems);
    check_pages(config, &mut problems);
    check_providers(config, &mut problems);
    if config.log.filter.parse::<Targets>().is_err() {
        problems.push(Finding::new("log.filter", "must be a level or `target=level`, joined by commas, such as `info,gatelodge_core=debug`"));
    }
    let required = &config.registration.required;
    if required
        .iter()
        .enumerate()
        .any(|(index, attribute)| required.iter().take(index).any(|other| other == attribute))
    {
        problems.push(Finding::new(
            "registration.required",
            "must not name an attribute twice",
        ));
    }
    problems
}

/// The ranges that the schema states, for all numbers at once.
fn check_ranges(config: &Config, problems: &mut Vec<Finding>) {
    let Ok(values) = serde_json::to_value(config) else {
        return;
    };
    for key in schema::keys() {
        let value = values
            .pointer(&format!("/{}", key.replace('.', "/")))
            .and_then(serde_json::Value::as_u64);
        if let (Some(value), Some(shape @ Shape::Number { minimum, maximum })) =
            (value, schema::shape(&key))
            && !(minimum..=maximum).contains(&value)
        {
            problems.push(Finding::new(
                key,
                format!("must be {}, but is {value}", shape.words()),
            ));
        }
    }
}

fn check_server(config: &Config, problems: &mut Vec<Finding>) {
    let server = &config.server;
    if server.data_dir.as_os_str().is_empty() {
        problems.push(Finding::new("server.data_dir", "must name a folder"));
    }
    if server
        .trusted_proxies
        .iter()
        .any(|network| network.prefix_len() == 0)
    {
        let finding = Finding::new(
            "server.trusted_proxies",
            "must not be every address: anyone could then claim any",
        );
        problems.push(finding.hint("name the proxies alone, such as `10.0.0.7/32`"));
    }
    if let Err(finding) = origin::find_policy(config, server.listen) {
        problems.push(finding);
    }
    if config.metrics.enabled && config.metrics.listen == server.listen && server.listen.port() != 0
    {
        problems.push(Finding::new(
            "metrics.listen",
            "must not be the same as `server.listen`",
        ));
    }
}

fn check_times(config: &Config, problems: &mut Vec<Finding>) {
    let (session, limits) = (&config.session, &config.limits);
    if u64::from(session.idle_minutes) > u64::from(session.absolute_hours) * 60 {
        problems.push(Finding::new(
            "session.idle_minutes",
            "must not be longer than `session.absolute_hours`",
        ));
    }
    if limits.first_delay_seconds > limits.max_delay_seconds {
        problems.push(Finding::new(
            "limits.first_delay_seconds",
            "must not be longer than `limits.max_delay_seconds`",
        ));
    }
    if limits.network_first_delay_seconds > limits.network_max_delay_seconds {
        let text = "must not be longer than `limits.network_max_delay_seconds`";
        problems.push(Finding::new("limits.network_first_delay_seconds", text));
    }
    if limits.free_tries >= limits.disable_after {
        problems.push(Finding::new(
            "limits.free_tries",
            "must be less than `limits.disable_after`",
        ));
    }
}

fn check_backup(config: &Config, problems: &mut Vec<Finding>) {
    let backup = &config.backup;
    if backup.every_hours.is_some() && backup.recipients.is_empty() {
        let finding = Finding::new(
            "backup.every_hours",
            "is set, and `backup.recipients` names nobody to encrypt the backups for",
        );
        problems.push(finding.hint(
            "`gatelodge backup key --output FILE` makes a key and prints the recipient to put there",
        ));
    }
}

fn check_messages(config: &Config, problems: &mut Vec<Finding>) {
    let mail = &config.mail;
    problems.extend(mail.problems());
    problems.extend(config.sms.problems());
    if let Ok(policy) = origin::find_policy(config, config.server.listen) {
        problems.extend(mail.problem_at(&policy));
    }
    if let Some(file) = &mail.ca_file
        && let Err(error) = fs::File::open(file)
    {
        let text = format!(
            "names a file that cannot be read, `{}`: {error}",
            file.display()
        );
        problems.push(Finding::new("mail.ca_file", text));
    }
}

fn check_tenancy(config: &Config, problems: &mut Vec<Finding>) {
    let tenancy = &config.tenancy;
    match tenancy
        .default_tenant
        .as_deref()
        .map(|name| name.trim().chars().count())
    {
        Some(1..=50) => {}
        Some(_) => problems.push(Finding::new(
            "tenancy.default_tenant",
            "must have 1 to 50 characters",
        )),
        None if tenancy.sign_in_form == TenantOnForm::Default => problems.push(
            Finding::new(
                "tenancy.sign_in_form",
                "is `default`, and `tenancy.default_tenant` is not set",
            )
            .hint("name the tenant, or set `choose`"),
        ),
        None => {}
    }
    problems.extend(tenancy.problems_of_hosts(&config.server));
}

fn check_pages(config: &Config, problems: &mut Vec<Finding>) {
    let pages = &config.pages;
    if !(1..=100).contains(&pages.brand_name.trim().chars().count()) {
        problems.push(Finding::new(
            "pages.brand_name",
            "must have 1 to 100 characters",
        ));
    }
    if let Some(folder) = &pages.template_dir
        && let Err(error) = fs::read_dir(folder)
    {
        let text = format!(
            "names a folder that cannot be read, `{}`: {error}",
            folder.display()
        );
        problems.push(Finding::new("pages.template_dir", text));
    }
    if let Some(file) = &pages.texts_file
        && let Err(error) = fs::File::open(file)
    {
        let text = format!(
            "names a file that cannot be read, `{}`: {error}",
            file.display()
        );
        problems.push(Finding::new("pages.texts_file", text));
    }
}

fn check_providers(config: &Config, problems: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    for provider in &config.providers {
        if !is_name(&provider.kind) {
            problems.push(Finding::new(
                provider.settings.key("kind"),
                "must be 1 to 32 of `a` to `z`, `0` to `9` and `-`",
            ));
        } else if !is_name(provider.id()) {
            problems.push(Finding::new(
                provider.settings.key("id"),
                "must be 1 to 32 of `a` to `z`, `0` to `9` and `-`",
            ));
        } else if !seen.insert(provider.id()) {
            let text = format!("is `{}`, which another provider already has", provider.id());
            problems.push(
                Finding::new(provider.settings.key("id"), text).hint("give each its own `id`"),
            );
        }
    }
    if !config.providers.iter().any(|provider| provider.enabled) {
        problems.push(Finding::new(
            "providers",
            "must hold one that is enabled: nobody could sign in",
        ));
    }
}

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// What is allowed and probably not meant.
pub(super) fn warnings(config: &Config) -> Vec<Finding> {
    let mut warnings = Vec::new();
    let server = &config.server;
    if server
        .origin
        .as_ref()
        .is_some_and(|origin| !origin.is_loopback())
        && server.trusted_proxies.is_empty()
    {
        let finding = Finding::new(
            "server.trusted_proxies",
            "is empty: behind a proxy every request will seem to come from the proxy, and limits per network will count all people as one",
        );
        warnings.push(finding.hint("name the proxy, such as `127.0.0.1/32`"));
    }
    warnings.extend(config.mail.warnings());
    if config.metrics.enabled && !config.metrics.listen.ip().is_loopback() {
        warnings.push(Finding::new(
            "metrics.listen",
            "is an address other machines can reach: they can read the figures",
        ));
    }
    warnings
}
