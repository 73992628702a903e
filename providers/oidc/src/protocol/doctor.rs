//! What can be wrong with a connection: `gatelodge provider doctor`.

use async_trait::async_trait;
use gatelodge_core::{
    Result,
    provider::{
        Answer, Context, Entry, Facts, Finding, HttpRequest, HttpResponse, KeptRecord, Provider,
        Services, Step,
    },
    secret::Secret,
};

use super::{
    Exchanged, Liar, Lie,
    exchange::{authorization_url, exchange_code},
    issuer::is_guid,
    keys::{self, KeySet},
    metadata::Metadata,
    outside::{Answered, Outside, may_go},
    preset::{ClientAuthKind, IssuerRule, ResponseMode},
    secret::{ClientAuth, expiry},
    transaction::{Chance, Transaction},
};
use crate::{Config, Error, OidcProvider};

/// From here on a difference between two clocks is worth a word, in seconds.
const CLOCK: u64 = 10;
/// From here on tokens are refused for it.
const CLOCK_MOST: u64 = 60;
/// A secret that ends within this is worth a word, in seconds.
const SOON: i64 = 30 * 86_400;

/// Everything that is found.
pub(crate) async fn diagnose(context: &Context<'_>, config: &Config) -> Vec<Finding> {
    let mut findings = vec![callback(context.facts, config)];
    findings.extend(client(config, context.now().as_second()));
    findings.extend(choices(config));
    let outside = Outside {
        context,
        reach: config.reach(),
    };
    match discovery(outside, config).await {
        Err(finding) => findings.push(finding),
        Ok((answered, metadata)) => {
            findings.extend(clock(context, &answered));
            findings.extend(published(config, &metadata));
            findings.push(public_keys(outside, config, &metadata).await);
            findings.extend(registered(outside, config, &metadata).await);
            findings.extend(token_endpoint(outside, config, &metadata).await);
        }
    }
    findings.push(rehearse(context, config).await);
    findings
}

async fn discovery(outside: Outside<'_>, config: &Config) -> Result<(Answered, Metadata), Finding> {
    let issuer = config.issuer();
    let bad = |error: &Error, remedy: &str| {
        let text = format!("The metadata of `{issuer}` are of no use: {error}.");
        Finding::bad("discovery", text, remedy)
    };
    let unreachable = "Open `<issuer>/.well-known/openid-configuration` on this server. If it does \
                       not open, allow the way there or correct `issuer`.";
    let address = Metadata::address(issuer);
    let address =
        address.ok_or_else(|| bad(&Error::answer("issuer", "it is no address"), unreachable))?;
    let answered = outside.get("metadata", &address, None).await;
    let answered = answered.map_err(|error| bad(&error, unreachable))?;
    let read = Metadata::read(
        answered.object.clone(),
        config.published_issuer(),
        outside.reach,
    );
    let different = "Copy `issuer` from the metadata into the configuration, character by character, \
                     if it is the provider that you mean; every address in them has to be `https`.";
    let metadata = read.map_err(|error| bad(&error, different))?;
    Ok((answered, metadata))
}

/// What the metadata say about what is configured.
fn published(config: &Config, metadata: &Metadata) -> Vec<Finding> {
    let text = format!(
        "The metadata of `{}` are its own, and every address in them is safe.",
        config.issuer()
    );
    let mut findings = vec![Finding::good("discovery", text)];
    findings.push(match (&metadata.challenges, config.preset.pkce) {
        (_, false) => Finding::doubtful(
            "pkce",
            format!("{} knows no PKCE: a code that is stolen is not held off by it.", config.label),
            "Nothing can be done here but not to use this service.",
        ),
        (Some(methods), true) if !methods.iter().any(|method| method == "S256") => Finding::doubtful(
            "pkce",
            "The provider does not say that it knows PKCE with `S256`, which is sent all the same.",
            "Switch it on in the provider's settings of the client.",
        ),
        (_, true) => Finding::good("pkce", "Codes are bound to the sign-in by PKCE with `S256`."),
    });
    let mode = config.response_mode.as_str();
    let lacks = |all: &Option<Vec<String>>, one: &str| {
        all.as_ref()
            .is_some_and(|all| !all.iter().any(|known| known == one))
    };
    if lacks(&metadata.response_modes, mode) {
        findings.push(Finding::bad(
            "response_mode",
            format!("The provider does not send callbacks by `{mode}`."),
            "Set `response_mode` to one that its metadata name, or leave it out.",
        ));
    }
    let how = match config.client_auth {
        ClientAuth::Basic(_) => "client_secret_basic",
        ClientAuth::Post(_) | ClientAuth::Apple(_) => "client_secret_post",
        ClientAuth::None => "none",
    };
    if lacks(&metadata.client_auth, how) {
        findings.push(Finding::bad(
            "client_auth",
            format!("The provider does not take `{how}`, which is what `client_auth` comes to."),
            "Set `client_auth` to what its metadata name: `basic`, `post` or `none`.",
        ));
    }
    findings.extend(missing_endpoints(config, metadata));
    findings
}

fn missing_endpoints(config: &Config, metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.userinfo && metadata.userinfo.is_none() {
        findings.push(Finding::doubtful(
            "userinfo",
            "The provider has no userinfo endpoint: what the token does not say is not known.",
            "Set `userinfo = false`, or see that the provider puts the claims into the token.",
        ));
    }
    if config.sign_out && metadata.end_session.is_none() {
        findings.push(Finding::bad(
            "sign_out",
            "The provider has no address at which people sign out.",
            "Leave `sign_out` out.",
        ));
    }
    findings
}

async fn public_keys(outside: Outside<'_>, config: &Config, metadata: &Metadata) -> Finding {
    let answered = outside.get("keys", &metadata.keys, None).await;
    let keys = answered.and_then(|answered| KeySet::read(answered.object));
    match keys {
        Err(error) => Finding::bad(
            "keys",
            format!("The keys at `{}` are of no use: {error}.", metadata.keys),
            "See whether the address opens on this server.",
        ),
        Ok(keys) if keys.serves(&config.algorithms) => {
            Finding::good("keys", "A published key can verify tokens.")
        }
        Ok(_) => {
            let known = keys::algorithm_names();
            let names = known.filter(|name| {
                keys::algorithm(name).is_some_and(|one| config.algorithms.contains(&one))
            });
            let names: Vec<_> = names.collect();
            Finding::bad(
                "keys",
                format!("No published key is for {}.", names.join(", ")),
                "Set `algorithms` to what the provider signs with, or have it sign with one of these.",
            )
        }
    }
}

fn clock(context: &Context<'_>, answered: &Answered) -> Option<Finding> {
    let difference = context
        .now()
        .as_second()
        .abs_diff(answered.date?.as_second());
    let text = format!("This server's clock and the provider's differ by {difference} seconds.");
    let remedy = "Let this server's clock be set by the network (NTP).";
    Some(match (difference <= CLOCK, difference <= CLOCK_MOST) {
        (true, _) => Finding::good("clock", text),
        (_, true) => Finding::doubtful("clock", text, remedy),
        _ => Finding::bad("clock", text, remedy),
    })
}

fn callback(facts: &Facts, config: &Config) -> Finding {
    let Some(callback) = &facts.callback else {
        let text = "There is no address for the provider to send people back to.";
        return Finding::bad("callback", text, "Set `server.origin`.");
    };
    let text = format!("The callback address is `{callback}`.");
    let register = format!(
        "Register it, character by character, here: {}.",
        config.preset.console
    );
    match may_go(Default::default(), callback) {
        true => Finding::good("callback", format!("{text} {register}")),
        false => Finding::doubtful(
            "callback",
            format!("{text} It is not `https`, which most providers want except on this machine."),
            format!("Set `server.origin` to an `https` address. {register}"),
        ),
    }
}

/// Whether what the client shows can be right.
fn client(config: &Config, now: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_microsoft = config.preset.issuer_rule == IssuerRule::Microsoft;
    let id = config.client_id.as_str();
    let is_google = config.preset.issuer.as_deref() == Some("https://accounts.google.com");
    let looks_right = match (is_microsoft, is_google) {
        (true, _) => is_guid(&id.to_ascii_lowercase()),
        (_, true) => id.ends_with(".apps.googleusercontent.com"),
        _ => id.trim() == id,
    };
    if !looks_right {
        findings.push(Finding::doubtful(
            "client_id",
            format!("`client_id` does not look like one of {}.", config.label),
            "Copy it again from the provider's settings of the client.",
        ));
    }
    let bad = |text: &str, remedy: &str| Finding::bad("client_secret", text, remedy);
    let again = "Copy the secret again from the provider's settings of the client.";
    let Some(secret) = config.secret() else {
        return findings;
    };
    let text = secret.expose();
    let is_plain = text.trim() == text && !text.chars().any(char::is_control);
    let is_secret_id = is_microsoft && is_guid(text);
    let is_example = text.len() < 8 || text.contains('…') || text.contains("change");
    findings.extend(match (is_plain, is_secret_id, is_example) {
        (false, ..) => Some(bad("`client_secret` begins or ends with a blank.", again)),
        (_, true, _) => Some(bad(
            "`client_secret` is the secret's id, not its value.",
            "Make a new secret and copy its “Value”, which is shown once.",
        )),
        (.., true) => Some(Finding::doubtful(
            "client_secret",
            "`client_secret` looks like an example.",
            again,
        )),
        _ => None,
    });
    findings.extend(secret_end(&secret, now));
    findings
}

/// A secret that is a token, as Apple's are, ends.
fn secret_end(secret: &Secret, now: i64) -> Option<Finding> {
    let left = expiry(secret)?.saturating_sub(now);
    let remedy = "Set `client_auth = \"apple\"` with `team_id`, `key_id` and `private_key_file`: then a \
                  new one is made for each request.";
    if left <= 0 {
        let text = "`client_secret` has expired.";
        return Some(Finding::bad("client_secret", text, remedy));
    }
    let text = format!("`client_secret` expires in {} days.", left / 86_400);
    (left <= SOON).then(|| Finding::doubtful("client_secret", text, remedy))
}

/// What was chosen that could be better.
fn choices(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.issuer.is_open() && config.organisations.is_empty() {
        findings.push(Finding::doubtful(
            "organisations",
            "People of every tenant of Microsoft's come in.",
            "List the ids of the tenants that you mean in `organisations`, or set `issuer` to that of one.",
        ));
    }
    if config.loopback {
        findings.push(Finding::doubtful(
            "loopback",
            "The provider is on this machine, without TLS perhaps: for tries only.",
            "Leave `loopback` out once the provider has an `https` address.",
        ));
    }
    if !config.preset.nonce {
        findings.push(Finding::doubtful(
            "nonce",
            format!(
                "{} does not send the nonce back: a token is not bound to one sign-in by it.",
                config.label
            ),
            "Nothing can be done here but not to use this service.",
        ));
    }
    if config.preset.client_auth == ClientAuthKind::Apple && config.secret().is_some() {
        findings.push(Finding::doubtful(
            "client_auth",
            "Apple's client secrets end after six months at most.",
            "Set `client_auth = \"apple\"` with `team_id`, `key_id` and `private_key_file`.",
        ));
    }
    findings
}

/// How the authorization endpoint takes somebody who is not to be asked anything
/// (`prompt=none`): it sends those back whom it would send back, and shows a page to whom
/// it would not. `None` when neither is clear.
async fn registered(outside: Outside<'_>, config: &Config, metadata: &Metadata) -> Option<Finding> {
    let callback = outside.context.facts.callback.as_ref()?;
    let probe = Transaction::probe(outside.context, metadata, Chance::new(outside.context))?;
    let mut url = authorization_url(config, metadata, &probe, false).ok()?;
    let asked = url.clone();
    let own = asked.query_pairs().filter(|(name, _)| name != "prompt");
    url.query_pairs_mut()
        .clear()
        .extend_pairs(own)
        .append_pair("prompt", "none");
    let answered = outside.open(&url).await.ok()?;
    let leads_back = answered
        .headers
        .get("location")
        .is_some_and(|location| location.split(['?', '#']).next() == Some(callback.as_str()));
    let posts_back = config.response_mode == ResponseMode::FormPost
        && String::from_utf8_lossy(&answered.body.0).contains(callback.as_str());
    match (leads_back || posts_back, answered.status) {
        (true, _) => Some(Finding::good(
            "registered",
            "The provider knows the client and sends people back to the callback address.",
        )),
        (false, 400..=499) => Some(Finding::bad(
            "registered",
            format!(
                "The provider does not send people back to `{callback}`: it does not know that address, or not the client."
            ),
            format!(
                "Compare `client_id`, and register the callback address here: {}.",
                config.preset.console
            ),
        )),
        _ => None,
    }
}

/// How the token endpoint takes a code that it never gave: who refuses the client says so.
async fn token_endpoint(
    outside: Outside<'_>,
    config: &Config,
    metadata: &Metadata,
) -> Option<Finding> {
    let probe = Transaction::probe(outside.context, metadata, Chance::new(outside.context))?;
    let code = Secret::new("gatelodge-doctor");
    Some(match exchange_code(outside, config, &probe, &code).await {
        Ok(Exchanged::Refused) => {
            let text = "The token endpoint refuses a wrong code, and not the client.";
            Finding::good("client", text)
        }
        Ok(Exchanged::Tokens(_)) => Finding::bad(
            "client",
            "The token endpoint gives tokens for a code that it never gave.",
            "Do not use this provider.",
        ),
        Err(Error::Connection { code }) if code == "invalid_client" => Finding::bad(
            "client",
            "The token endpoint does not know the client, or its secret is wrong (`invalid_client`).",
            "Copy `client_id` and secret again, and see whether `client_auth` is what the provider wants.",
        ),
        Err(error) => Finding::doubtful(
            "client",
            format!("The token endpoint does not say whether the client is right: {error}."),
            "Sign in once by hand.",
        ),
    })
}

/// Tells every lie to a connection like this one.
async fn rehearse(context: &Context<'_>, config: &Config) -> Finding {
    let check = "rehearsal";
    let honest = Liar::of(config);
    if !gets_in(context, config, &honest, None).await {
        return Finding::bad(
            check,
            "Not even an honest third party gets somebody in with this configuration.",
            "See the other findings; if there is none, report this as a fault of Gatelodge.",
        );
    }
    let mut told = 0;
    let mut believed = Vec::new();
    for lie in Lie::ALL.iter().filter(|lie| lie.applies(config)) {
        told += 1;
        if gets_in(context, config, &honest.clone().telling(*lie), Some(*lie)).await {
            believed.push(lie.as_str());
        }
    }
    rehearsed(told, &believed)
}

/// What a rehearsal comes to: so many lies were told, and these believed.
fn rehearsed(told: usize, believed: &[&str]) -> Finding {
    let check = "rehearsal";
    match believed {
        [] => {
            let text = format!("Of {told} lies of a third party none gets anybody in.");
            Finding::good(check, text)
        }
        believed => Finding::bad(
            check,
            format!(
                "Somebody gets in though the third party {}.",
                believed.join(", or ")
            ),
            "Disable this connection, and report this as a vulnerability: SECURITY.md.",
        ),
    }
}

/// Whether somebody gets in by that third party.
async fn gets_in(context: &Context<'_>, config: &Config, liar: &Liar, lie: Option<Lie>) -> bool {
    let here = || context.facts.origin.join("/callback/rehearsal").ok();
    let mut facts = context.facts.clone();
    facts.callback = facts.callback.or_else(here);
    facts.oauth_state = Some("rehearsal-".repeat(5));
    facts.intent = lie.map_or(gatelodge_core::provider::Intent::SignIn, Lie::intent);
    let stage = Stage {
        outside: context.services,
        liar,
    };
    let rehearsed = Context {
        facts: &facts,
        services: &stage,
    };
    let Ok(provider) = OidcProvider::new(config.clone()) else {
        return false;
    };
    let Ok(turn) = provider.begin(&rehearsed, Entry::Chosen {}).await else {
        return false;
    };
    let Step::Redirect { url } = &turn.step else {
        return false;
    };
    let answer = Answer::Callback {
        parameters: liar.authorize(url, "somebody", facts.now),
    };
    let ended = provider.resume(&rehearsed, turn.state, answer).await;
    ended.is_ok_and(|turn| matches!(turn.step, Step::Proven { .. }))
}

/// Where a rehearsal takes place: the liar in place of the outside.
struct Stage<'a> {
    outside: &'a dyn Services,
    liar: &'a Liar,
}

#[async_trait]
impl Services for Stage<'_> {
    fn random(&self, bytes: &mut [u8]) {
        self.outside.random(bytes);
    }

    async fn subject_records(&self) -> Result<Vec<KeptRecord>> {
        Ok(Vec::new())
    }

    async fn record_by_key(&self, _: &str) -> Result<Option<KeptRecord>> {
        Ok(None)
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse> {
        self.liar.answer(&request)
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_core::provider::Verdict;

    use super::{Lie, rehearsed};

    #[test]
    fn a_lie_that_is_believed_is_told_in_words() {
        let believed = [Lie::Expired, Lie::NoNonce].map(Lie::as_str);
        let finding = rehearsed(2, &believed);
        assert_eq!(finding.verdict, Verdict::Bad);
        let expected = "Somebody gets in though the third party hands on a token that has expired, \
                        or leaves the nonce out of the token.";
        assert_eq!(finding.text, expected);
        assert_eq!(rehearsed(2, &[]).verdict, Verdict::Good);
    }
}
