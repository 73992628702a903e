//! The provider's table in the configuration.

use std::fmt;

use gatelodge_core::{
    provider::{ProviderTable, Reach},
    secret::Secret,
};
use jsonwebtoken::Algorithm;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;

use crate::{
    Error,
    protocol::{
        AppleKey, ClientAuth, ClientAuthKind, Issuer, IssuerRule, MICROSOFT, Preset, ResponseMode,
        SubjectRule, algorithm, algorithm_names, is_guid, is_loopback, may_go,
    },
};

/// Every key and what it must hold, for the texts of errors.
const KEYS: [(&str, &str); 21] = [
    ("preset", "the name of a service"),
    ("issuer", "an `https` address"),
    ("client_id", "a text"),
    ("client_secret", "a text"),
    ("scopes", "a list of texts"),
    ("label", "a text"),
    ("organisations", "a list of texts"),
    ("organisation_claim", "the name of a claim"),
    ("algorithms", "a list of algorithms"),
    ("audiences", "a list of texts"),
    ("client_auth", "`basic`, `post`, `none` or `apple`"),
    ("team_id", "a text"),
    ("key_id", "a text"),
    ("private_key", "a key as PEM"),
    ("response_mode", "`query` or `form_post`"),
    ("userinfo", "true or false"),
    ("recheck", "true or false"),
    ("loopback", "true or false"),
    ("sign_out", "true or false"),
    ("prompt", "`login`, `consent` or `select_account`"),
    ("max_age", "true or false"),
];
/// The keys whose values are never shown.
const SECRET: [&str; 2] = ["client_secret", "private_key"];
/// The most characters of a label.
const MOST_LABEL: usize = 40;
/// The most bytes of a text that is sent along.
const MOST_TEXT: usize = 1_024;

/// The keys of a `[[providers]]` table of kind `oidc`.
#[derive(Clone)]
pub struct Config {
    pub(crate) preset: &'static Preset,
    pub(crate) issuer: Issuer,
    url: Url,
    /// `client_id`: what the service calls this server.
    pub client_id: String,
    pub(crate) client_auth: ClientAuth,
    /// `scopes`: what is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// `label`: what the button is called.
    pub label: String,
    /// `organisations`: those whose people may come; none: all.
    pub organisations: Vec<String>,
    pub(crate) organisation_claim: Option<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    /// `audiences`: what else may stand in a token's audience.
    pub audiences: Vec<String>,
    pub(crate) response_mode: ResponseMode,
    /// `userinfo`: whether claims are fetched from there.
    pub userinfo: bool,
    /// `recheck`: whether a refresh token is kept, to ask later whether somebody may
    /// still come in.
    pub recheck: bool,
    /// `loopback`: that the service is on this very machine, so that plain `http` will
    /// do. For tries only.
    pub loopback: bool,
    /// `sign_out`: whether people can sign out there as well.
    pub sign_out: bool,
    pub(crate) prompt: Option<String>,
    max_age: bool,
}

/// As it is written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    preset: Option<String>,
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    scopes: Option<Vec<String>>,
    label: Option<String>,
    organisations: Option<Vec<String>>,
    organisation_claim: Option<String>,
    algorithms: Option<Vec<String>>,
    audiences: Option<Vec<String>>,
    client_auth: Option<ClientAuthKind>,
    team_id: Option<String>,
    key_id: Option<String>,
    private_key: Option<Secret>,
    response_mode: Option<ResponseMode>,
    userinfo: Option<bool>,
    recheck: Option<bool>,
    loopback: Option<bool>,
    sign_out: Option<bool>,
    prompt: Option<String>,
    max_age: Option<bool>,
}

/// What the table holds, key by key: the decoder's errors do not say which it was.
fn written(table: ProviderTable) -> Result<Written, Error> {
    for (key, value) in &table {
        let Some((key, expected)) = KEYS.iter().find(|(known, _)| known == key) else {
            return Err(Error::UnknownKey {
                key: key.clone(),
                known: KEYS.map(|(known, _)| format!("`{known}`")).join(", "),
            });
        };
        let alone = ProviderTable::from_iter([((*key).to_owned(), value.clone())]);
        if value.is_null() || decode::<Written>(alone).is_none() {
            let problem = match SECRET.contains(key) {
                true => format!("must be {expected}"),
                false => format!("must be {expected}, not `{value}`"),
            };
            return Err(Error::setting(key, problem));
        }
    }
    decode(table).ok_or_else(|| Error::setting("oidc", "must be a table of keys and values"))
}

fn decode<T: DeserializeOwned>(table: ProviderTable) -> Option<T> {
    serde_json::from_value(Value::Object(table)).ok()
}

impl Config {
    /// Reads the table; an error names the key and what was expected.
    pub fn from_table(table: ProviderTable) -> Result<Self, Error> {
        let written = written(table)?;
        let preset = preset(written.preset.as_deref())?;
        let loopback = written.loopback.unwrap_or(false);
        let (issuer, url) = issuer(&written, preset, loopback)?;
        let organisation_claim = organisation_claim(&written, preset)?;
        let label = label(&written, preset, &issuer)?;
        let client_auth = client_auth(&written, preset)?;
        let config = Self {
            client_id: text("client_id", written.client_id)?,
            client_auth,
            scopes: written.scopes.unwrap_or_else(|| preset.scopes.clone()),
            label,
            organisations: written.organisations.unwrap_or_default(),
            organisation_claim,
            algorithms: algorithms(written.algorithms.as_ref().unwrap_or(&preset.algorithms))?,
            audiences: written.audiences.unwrap_or_default(),
            response_mode: written.response_mode.unwrap_or(preset.response_mode),
            userinfo: written.userinfo.unwrap_or(preset.userinfo),
            recheck: written.recheck.unwrap_or(false),
            loopback,
            sign_out: written.sign_out.unwrap_or(false),
            prompt: written.prompt,
            max_age: written.max_age.unwrap_or(preset.max_age),
            preset,
            issuer,
            url,
        };
        config.check()?;
        Ok(config)
    }

    /// Whether the values can go together.
    fn check(&self) -> Result<(), Error> {
        let is_scope = |scope: &String| {
            !scope.is_empty()
                && scope
                    .bytes()
                    .all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        };
        if !self.scopes.iter().all(is_scope) || self.scopes.len() > 50 {
            return Err(Error::setting("scopes", "must be words without blanks"));
        }
        if self.preset.subject == SubjectRule::TidOid && !self.asks("profile") {
            let problem =
                "must have `profile`, without which Microsoft does not say who somebody is";
            return Err(Error::setting("scopes", problem));
        }
        if self.recheck && !self.preset.offline.offered {
            let problem = format!("cannot be: {} gives no refresh tokens", self.label);
            return Err(Error::setting("recheck", problem));
        }
        let prompts = ["login", "consent", "select_account"];
        if let Some(prompt) = &self.prompt
            && !prompts.contains(&prompt.as_str())
        {
            let problem = format!("must be `login`, `consent` or `select_account`, not `{prompt}`");
            return Err(Error::setting("prompt", problem));
        }
        if self.audiences.iter().any(String::is_empty) {
            return Err(Error::setting(
                "audiences",
                "must be texts that are not empty",
            ));
        }
        self.check_organisations()
    }

    fn check_organisations(&self) -> Result<(), Error> {
        let key = "organisations";
        if self.organisations.is_empty() {
            return match self.organisation_claim != self.preset.organisation_claim {
                true => Err(Error::setting(
                    key,
                    "must be set where `organisation_claim` is",
                )),
                false => Ok(()),
            };
        }
        if self.organisation_claim.is_none() {
            return Err(Error::setting(
                "organisation_claim",
                "must be set where `organisations` is",
            ));
        }
        let is_wrong = |name: &&String| match self.preset.issuer_rule {
            IssuerRule::Microsoft => !is_guid(name),
            IssuerRule::Exact => name.is_empty() || name.len() > MOST_TEXT,
        };
        match (
            self.organisations.iter().find(is_wrong),
            self.preset.issuer_rule,
        ) {
            (None, _) => Ok(()),
            (Some(name), IssuerRule::Microsoft) => {
                let problem = format!("must be tenant ids, in lower case, not `{name}`");
                Err(Error::setting(key, problem))
            }
            (Some(_), _) => Err(Error::setting(key, "must be texts that are not empty")),
        }
    }

    /// The issuer, as configured.
    pub fn issuer(&self) -> &str {
        &self.issuer.configured
    }

    /// The issuer, as its metadata have to say.
    pub(crate) fn published_issuer(&self) -> &str {
        &self.issuer.published
    }

    /// The issuer as an address.
    pub(crate) fn issuer_url(&self) -> Url {
        self.url.clone()
    }

    /// What the client shows, if that is a secret.
    pub(crate) fn secret(&self) -> Option<Secret> {
        match &self.client_auth {
            ClientAuth::Basic(secret) | ClientAuth::Post(secret) => Some(secret.clone()),
            ClientAuth::None | ClientAuth::Apple(_) => None,
        }
    }

    /// How far its requests may go.
    pub(crate) fn reach(&self) -> Reach {
        match self.loopback {
            true => Reach::Loopback,
            false => Reach::Public,
        }
    }

    fn asks(&self, scope: &str) -> bool {
        self.scopes.iter().any(|asked| asked == scope)
    }

    /// What is asked for, besides `openid`.
    pub(crate) fn all_scopes(&self) -> Vec<String> {
        let mut scopes: Vec<_> = self
            .scopes
            .iter()
            .filter(|scope| *scope != "openid")
            .collect();
        if self.recheck {
            scopes.extend(
                self.preset
                    .offline
                    .scopes
                    .iter()
                    .filter(|scope| !self.asks(scope)),
            );
        }
        scopes.into_iter().cloned().collect()
    }

    /// Whether `max_age` is sent where somebody has to prove anew who they are.
    pub(crate) fn asks_max_age(&self) -> bool {
        self.max_age
    }

    /// What else is sent along.
    pub(crate) fn parameters(&self, is_anew: bool) -> Vec<(String, String)> {
        let mut parameters = Vec::new();
        let again = self.preset.prompt_again.as_ref().filter(|_| is_anew);
        let offline = self.preset.offline.prompt.as_ref().filter(|_| self.recheck);
        let mut prompts: Vec<_> = again
            .or(self.prompt.as_ref())
            .into_iter()
            .chain(offline)
            .collect();
        prompts.dedup();
        if !prompts.is_empty() {
            let prompts: Vec<_> = prompts.into_iter().map(String::as_str).collect();
            parameters.push(("prompt".to_owned(), prompts.join(" ")));
        }
        if self.recheck {
            let offline = self.preset.offline.parameters.iter();
            parameters.extend(offline.map(|(name, value)| (name.clone(), value.clone())));
        }
        // Only which accounts are offered; the token is what is looked at.
        if self.organisation_claim.as_deref() == Some("hd")
            && let [domain] = self.organisations.as_slice()
        {
            parameters.push(("hd".to_owned(), domain.clone()));
        }
        parameters
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("issuer", &self.issuer())
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

fn preset(name: Option<&str>) -> Result<&'static Preset, Error> {
    let known = || {
        let names: Vec<_> = Preset::names().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    match name {
        None => Preset::named("generic").ok_or_else(|| Error::setting("preset", "is not built in")),
        Some(name) if Preset::names().any(|known| known == name) => {
            Preset::named(name).ok_or_else(|| Error::setting("preset", "is not built in"))
        }
        Some(name) => {
            let problem = format!("must be one of {}, not `{name}`", known());
            Err(Error::setting("preset", problem))
        }
    }
}

fn issuer(written: &Written, preset: &Preset, loopback: bool) -> Result<(Issuer, Url), Error> {
    let key = "issuer";
    let configured = written.issuer.as_ref().or(preset.issuer.as_ref());
    let missing = "must be set where no `preset` is: the address of the provider";
    let text = configured.ok_or_else(|| Error::setting(key, missing))?;
    let is_preset = preset.issuer.as_ref() == Some(text);
    if !is_preset && !preset.other_issuers && !loopback {
        let own = preset.issuer.as_deref().unwrap_or_default();
        return Err(Error::setting(
            key,
            format!("must be left out, or be `{own}`, with this preset"),
        ));
    }
    let url: Option<Url> = text.parse().ok();
    let is_plain = |url: &Url| url.query().is_none() && url.fragment().is_none();
    let url = url.filter(is_plain).filter(|_| text.len() <= MOST_TEXT);
    let url = url
        .ok_or_else(|| Error::setting(key, format!("must be an `https` address, not `{text}`")))?;
    if loopback && !is_loopback(url.host().as_ref()) {
        return Err(Error::setting(
            "loopback",
            format!("is for issuers on this machine, not `{text}`"),
        ));
    }
    let reach = if loopback {
        Reach::Loopback
    } else {
        Reach::Public
    };
    if !may_go(reach, &url) {
        let problem = format!(
            "must be an `https` address, not `{text}`; for one on this machine, `loopback = true`"
        );
        return Err(Error::setting(key, problem));
    }
    if preset.issuer_rule == IssuerRule::Exact && text.starts_with(MICROSOFT) {
        return Err(Error::setting(
            "preset",
            "must be `microsoft` for this issuer",
        ));
    }
    let issuer = Issuer::new(text, &preset.aliases, preset.issuer_rule);
    issuer.map(|issuer| (issuer, url)).ok_or_else(|| {
        let problem = format!(
            "must be `{MICROSOFT}<tenant's id>/v2.0`, with `common`, `organizations` or `consumers` in place of the id for \
             those, not `{text}`"
        );
        Error::setting(key, problem)
    })
}

fn organisation_claim(written: &Written, preset: &Preset) -> Result<Option<String>, Error> {
    let key = "organisation_claim";
    match (&written.organisation_claim, &preset.organisation_claim) {
        (Some(_), Some(own)) => Err(Error::setting(key, format!("is `{own}` with this preset"))),
        (Some(name), None) if name.is_empty() => {
            Err(Error::setting(key, "must be the name of a claim"))
        }
        (configured, own) => Ok(configured.clone().or_else(|| own.clone())),
    }
}

fn label(written: &Written, preset: &Preset, issuer: &Issuer) -> Result<String, Error> {
    let label = written.label.clone().or_else(|| preset.label.clone());
    let host = || {
        let url: Option<Url> = issuer.configured.parse().ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        host.chars().take(MOST_LABEL).collect()
    };
    let label: String = label.unwrap_or_else(host);
    let fits = (1..=MOST_LABEL).contains(&label.chars().count())
        && label.trim() == label
        && !label.chars().any(char::is_control);
    match fits {
        true => Ok(label),
        false => Err(Error::setting(
            "label",
            format!("must have 1 to {MOST_LABEL} characters"),
        )),
    }
}

fn client_auth(written: &Written, preset: &Preset) -> Result<ClientAuth, Error> {
    let kind = written.client_auth.unwrap_or(preset.client_auth);
    let apple = [
        ("team_id", written.team_id.is_some()),
        ("key_id", written.key_id.is_some()),
        ("private_key", written.private_key.is_some()),
    ];
    if let Some((key, _)) = apple.iter().find(|(_, is_set)| *is_set)
        && kind != ClientAuthKind::Apple
    {
        return Err(Error::setting(key, "is for `client_auth = \"apple\"` only"));
    }
    if written.client_secret.is_some()
        && matches!(kind, ClientAuthKind::None | ClientAuthKind::Apple)
    {
        return Err(Error::setting(
            "client_secret",
            "is not used with this `client_auth`",
        ));
    }
    let secret = || {
        let given = written
            .client_secret
            .clone()
            .filter(|secret| (1..=4_096).contains(&secret.len()));
        given.ok_or_else(|| {
            Error::setting(
                "client_secret",
                "must be set, in a file: `client_secret_file`",
            )
        })
    };
    Ok(match kind {
        ClientAuthKind::Basic => ClientAuth::Basic(secret()?),
        ClientAuthKind::Post => ClientAuth::Post(secret()?),
        ClientAuthKind::None => ClientAuth::None,
        ClientAuthKind::Apple => {
            let problem = "must be the key from the developer account: `private_key_file`";
            let missing = || Error::setting("private_key", problem);
            let key = AppleKey {
                team_id: text("team_id", written.team_id.clone())?,
                key_id: text("key_id", written.key_id.clone())?,
                private_key: written.private_key.clone().ok_or_else(missing)?,
            };
            match key.is_usable() {
                true => ClientAuth::Apple(key),
                false => return Err(missing()),
            }
        }
    })
}

fn text(key: &'static str, given: Option<String>) -> Result<String, Error> {
    let fits = |text: &String| {
        (1..=MOST_TEXT).contains(&text.len()) && !text.chars().any(char::is_control)
    };
    given
        .filter(fits)
        .ok_or_else(|| Error::setting(key, "must be set"))
}

fn algorithms(names: &[String]) -> Result<Vec<Algorithm>, Error> {
    let key = "algorithms";
    let known = |name: &String| {
        algorithm(name).ok_or_else(|| {
            let known: Vec<_> = algorithm_names().map(|name| format!("`{name}`")).collect();
            Error::setting(
                key,
                format!("must be some of {}, not `{name}`", known.join(", ")),
            )
        })
    };
    let algorithms = names.iter().map(known).collect::<Result<Vec<_>, _>>()?;
    match algorithms.is_empty() {
        true => Err(Error::setting(key, "must name one at least")),
        false => Ok(algorithms),
    }
}
