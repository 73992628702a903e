//! What can be wrong with a connection, in words.

use std::collections::BTreeMap;

use gatelodge_core::provider::{Context, Finding, HttpResponse};
use jiff::{Timestamp, fmt::rfc2822};
use url::Url;

use super::{Lie, ask, rehearsal::is_right};
use crate::{Error, OAuth2Provider};

/// By how many seconds clocks may differ before it is worth a word.
const CLOSE: i64 = 60;

/// Looks at everything.
pub(crate) async fn diagnose(provider: &OAuth2Provider, context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut time = None;
    for (key, url) in provider.config().addresses() {
        let answer = ask(provider.config(), context, url, BTreeMap::new()).await;
        time = time.or_else(|| answer.as_ref().ok().and_then(date));
        findings.push(address(key, url, &answer));
    }
    findings.extend(time.map(|time| clock(context.now(), time)));
    findings.push(callback(provider, context));
    findings.extend(rehearse(provider, context).await);
    findings
}

fn address(key: &str, url: &Url, answer: &Result<HttpResponse, Error>) -> Finding {
    let host = url.host_str().unwrap_or_default();
    match answer {
        // Where people go; what it says to a program means nothing.
        Ok(answer) if key != "authorization_url" && (300..400).contains(&answer.status) => {
            Finding::doubtful(
                key,
                format!("`{host}` answers at `{key}` with a redirect, which is not followed."),
                format!("Set `{key}` to the address that it redirects to."),
            )
        }
        Ok(_) => Finding::good(key, format!("`{host}` answers at `{key}`.")),
        Err(error) => {
            let why = match error {
                Error::NoAnswer(Some(error)) => error.message().to_owned(),
                other => other.to_string(),
            };
            Finding::bad(
                key,
                format!("Nobody answers at `{key}`: {why}."),
                format!(
                    "Check `{key}`, that this server may reach `{host}`, and, if that has a private address, \
                     `outbound.allowed_networks`."
                ),
            )
        }
    }
}

fn date(answer: &HttpResponse) -> Option<Timestamp> {
    let date = rfc2822::parse(answer.headers.get("date")?).ok()?;
    Some(date.timestamp())
}

fn clock(now: Timestamp, theirs: Timestamp) -> Finding {
    let apart = now.as_second().abs_diff(theirs.as_second());
    match i64::try_from(apart) {
        Ok(apart) if apart <= CLOSE => {
            Finding::good("clock", "This server and the service agree about the time.")
        }
        _ => Finding::doubtful(
            "clock",
            format!("This server's clock and the service's are {apart} seconds apart."),
            "Have the machine set its clock by NTP.",
        ),
    }
}

fn callback(provider: &OAuth2Provider, context: &Context<'_>) -> Finding {
    let label = &provider.config().label;
    match &context.facts.callback {
        Some(url) => Finding::good(
            "callback",
            format!(
                "At {label}, `{url}` has to be registered as the redirect URI, exactly like this."
            ),
        ),
        None => Finding::bad(
            "callback",
            "There is no address for the browser to come back to.",
            "Set `server.origin`.",
        ),
    }
}

/// Tells it every lie that concerns it.
async fn rehearse(provider: &OAuth2Provider, context: &Context<'_>) -> Vec<Finding> {
    if !is_right(provider, context, None).await {
        return vec![Finding::bad(
            "rehearsal",
            "Even an honest service is refused with this configuration.",
            "Check the names of fields and the organisations.",
        )];
    }
    let mut findings = Vec::new();
    let mut told = 0;
    for lie in Lie::ALL
        .iter()
        .filter(|lie| lie.concerns(provider.config()))
    {
        told += 1;
        if !is_right(provider, context, Some(*lie)).await {
            findings.push(Finding::bad(
                "rehearsal",
                format!("A lie was believed: {}.", lie.words()),
                "Do not use this connection, and report it as SECURITY.md says.",
            ));
        }
    }
    if findings.is_empty() {
        let text = format!("{told} lies were told with this configuration, and none was believed.");
        findings.push(Finding::good("rehearsal", text));
    }
    findings
}
