//! The provider's table in the configuration.

use std::collections::BTreeMap;

use gatelodge_core::{
    provider::{Mark, ProviderTable, Reach},
    secret::Secret,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::{Host, Url};

use crate::{
    Error,
    protocol::{Fields, IdType, Preset},
};

/// What each key must hold, for the texts of errors.
const KEYS: [(&str, &str); 19] = [
    ("preset", "a text"),
    ("client_id", "a text"),
    ("client_secret", "a text"),
    ("label", "a text"),
    ("authorization_url", "an address"),
    ("token_url", "an address"),
    ("user_url", "an address"),
    ("emails_url", "an address"),
    ("organisations_url", "an address"),
    ("issuer", "a text"),
    ("scopes", "a list of texts"),
    ("organisations", "a list of texts"),
    ("client_auth", "`basic` or `post`"),
    ("id_field", "a text"),
    ("user_name_field", "a text"),
    ("name_field", "a text"),
    ("email_field", "a text"),
    ("email_verified_field", "a text"),
    ("loopback", "`true` or `false`"),
];

/// The most characters of a label, and of the name of a field.
const MOST_LABEL: usize = 40;
const MOST_NAME: usize = 100;
/// The most bytes of what a service gives to an application.
const MOST_CREDENTIAL: usize = 1_024;

/// How the server shows a third party that it is the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// By HTTP Basic authentication (RFC 6749 section 2.3.1).
    Basic,
    /// In the body of the request, as several services want it.
    Post,
}

/// The keys as they are written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Table {
    preset: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    label: Option<String>,
    authorization_url: Option<Url>,
    token_url: Option<Url>,
    user_url: Option<Url>,
    emails_url: Option<Url>,
    organisations_url: Option<Url>,
    issuer: Option<String>,
    scopes: Option<Vec<String>>,
    organisations: Vec<String>,
    client_auth: Option<ClientAuth>,
    id_field: Option<String>,
    user_name_field: Option<String>,
    name_field: Option<String>,
    email_field: Option<String>,
    email_verified_field: Option<String>,
    loopback: bool,
}

/// A connection to a service: what the table says, over what its preset says.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) label: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) client_auth: ClientAuth,
    pub(crate) authorization_url: Url,
    pub(crate) token_url: Url,
    pub(crate) user_url: Url,
    pub(crate) emails_url: Option<Url>,
    pub(crate) organisations_url: Option<Url>,
    /// What a callback's `iss` must be, if it has one.
    pub(crate) issuer: Option<String>,
    /// Whether it must have one.
    pub(crate) needs_issuer: bool,
    pub(crate) scopes: Vec<String>,
    /// Whose members may come in; empty: everybody.
    pub(crate) organisations: Vec<String>,
    pub(crate) fields: Fields,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) reach: Reach,
    pub(crate) mark: Mark,
}

impl Config {
    /// Reads the table; an error names the key and what was expected.
    ///
    /// # Errors
    /// When a key is unknown or missing, or its value cannot be.
    pub fn from_table(table: ProviderTable) -> Result<Self, Error> {
        for (key, value) in &table {
            let Some((key, expected)) = KEYS.iter().find(|(known, _)| known == key) else {
                return Err(Error::UnknownKey {
                    key: key.clone(),
                    known: KEYS.map(|(known, _)| format!("`{known}`")).join(", "),
                });
            };
            // One key at a time, since the decoder's errors do not say which it was. The
            // value is not repeated: an address may hold a password.
            let alone = Map::from_iter([((*key).to_owned(), value.clone())]);
            if serde_json::from_value::<Table>(Value::Object(alone)).is_err() {
                return Err(Error::setting(key, format!("must be {expected}")));
            }
        }
        let table: Table = serde_json::from_value(Value::Object(table))
            .map_err(|_| Error::setting("preset", "must be in a table of keys and values"))?;
        table.resolve()
    }

    /// Who vouches for people: the origin of the authorization server.
    pub(crate) fn vouches(&self) -> String {
        self.authorization_url.origin().ascii_serialization()
    }

    /// All addresses, by their keys.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (&'static str, &Url)> {
        let addresses = [
            ("authorization_url", Some(&self.authorization_url)),
            ("token_url", Some(&self.token_url)),
            ("user_url", Some(&self.user_url)),
            ("emails_url", self.emails_url.as_ref()),
            ("organisations_url", self.organisations_url.as_ref()),
        ];
        let set = |(key, url): (_, Option<_>)| url.map(|url| (key, url));
        addresses.into_iter().filter_map(set)
    }

    fn check(&self) -> Result<(), Error> {
        for (key, url) in self.addresses() {
            check_address(key, url, self.reach)?;
        }
        if !(1..=MOST_LABEL).contains(&self.label.trim().chars().count()) {
            let problem = format!("must have 1 to {MOST_LABEL} characters");
            return Err(Error::setting("label", problem));
        }
        // RFC 6749 appendix A.4.
        let is_scope = |scope: &String| {
            !scope.is_empty()
                && scope
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
        };
        if let Some(scope) = self.scopes.iter().find(|scope| !is_scope(scope)) {
            let problem = format!("must be a list of scopes without blanks, and has `{scope}`");
            return Err(Error::setting("scopes", problem));
        }
        let is_blank = |name: &String| name.trim().is_empty();
        if self.organisations.iter().any(is_blank) {
            return Err(Error::setting(
                "organisations",
                "must not hold an empty text",
            ));
        }
        if !self.organisations.is_empty() && self.organisations_url.is_none() {
            let problem = "needs `organisations_url`, which this preset has not";
            return Err(Error::setting("organisations", problem));
        }
        Ok(())
    }
}

impl Table {
    fn resolve(self) -> Result<Config, Error> {
        let preset = self.preset.as_deref().map(Preset::named).transpose()?;
        let client_id = credential("client_id", self.client_id.as_deref())?;
        let secret = self.client_secret.as_ref().map(Secret::expose);
        let client_secret = Secret::new(credential("client_secret", secret)?);
        let fields = self.fields(preset.as_ref())?;
        let of_preset =
            |url: fn(&Preset) -> &Url| preset.as_ref().map(|preset| url(preset).clone());
        let authorization_url = address(
            "authorization_url",
            self.authorization_url,
            of_preset(|preset| &preset.authorization_url),
        )?;
        let optional = |url: Option<Url>, theirs: fn(&Preset) -> &Option<Url>| {
            url.or_else(|| theirs(preset.as_ref()?).clone())
        };
        let mut scopes = self.scopes.unwrap_or_else(|| {
            let scopes = preset.as_ref().map(|preset| preset.scopes.clone());
            scopes.unwrap_or_default()
        });
        if let Some(preset) = preset.as_ref().filter(|_| !self.organisations.is_empty()) {
            for scope in &preset.organisation_scopes {
                if !scopes.contains(scope) {
                    scopes.push(scope.clone());
                }
            }
        }
        let label = self.label.or_else(|| Some(preset.as_ref()?.label.clone()));
        let label = label.or_else(|| authorization_url.host_str().map(str::to_owned));
        let theirs = preset.as_ref().and_then(|preset| preset.issuer.clone());
        // A server of one's own, in place of the preset's, calls itself something else.
        let theirs = theirs.filter(|issuer| is_of_origin(issuer, &authorization_url));
        let config = Config {
            label: label.unwrap_or_default(),
            client_id,
            client_secret,
            client_auth: self
                .client_auth
                .or_else(|| preset.as_ref().map(|preset| preset.client_auth))
                .unwrap_or(ClientAuth::Basic),
            token_url: address(
                "token_url",
                self.token_url,
                of_preset(|preset| &preset.token_url),
            )?,
            user_url: address(
                "user_url",
                self.user_url,
                of_preset(|preset| &preset.user_url),
            )?,
            emails_url: optional(self.emails_url, |preset| &preset.emails_url),
            organisations_url: optional(self.organisations_url, |preset| &preset.organisations_url),
            authorization_url,
            needs_issuer: self.issuer.is_some(),
            issuer: self.issuer.or(theirs),
            scopes,
            organisations: self.organisations,
            fields,
            headers: preset
                .as_ref()
                .map_or_else(BTreeMap::new, |preset| preset.headers.clone()),
            reach: match self.loopback {
                true => Reach::Loopback,
                false => Reach::Public,
            },
            mark: preset
                .map(|preset| Mark::new(preset.mark))
                .transpose()
                .map_err(|error| Error::setting("preset", error.to_string()))?
                .unwrap_or_default(),
        };
        config.check()?;
        Ok(config)
    }

    fn fields(&self, preset: Option<&Preset>) -> Result<Fields, Error> {
        let mut fields = match preset {
            Some(preset) => preset.fields.clone(),
            None => Fields {
                id: "id".to_owned(),
                id_type: IdType::Any,
                user_name: None,
                name: Some("name".to_owned()),
                email: Some("email".to_owned()),
                email_verified: None,
                organisation_id: Some("id".to_owned()),
                organisation_name: Some("name".to_owned()),
            },
        };
        if let Some(id) = &self.id_field {
            fields.id.clone_from(id);
            fields.id_type = IdType::Any;
        }
        for (theirs, ours) in [
            (&self.user_name_field, &mut fields.user_name),
            (&self.name_field, &mut fields.name),
            (&self.email_field, &mut fields.email),
            (&self.email_verified_field, &mut fields.email_verified),
        ] {
            if theirs.is_some() {
                ours.clone_from(theirs);
            }
        }
        for (key, name) in [
            ("id_field", Some(&fields.id)),
            ("user_name_field", fields.user_name.as_ref()),
            ("name_field", fields.name.as_ref()),
            ("email_field", fields.email.as_ref()),
            ("email_verified_field", fields.email_verified.as_ref()),
        ] {
            let fits = |name: &String| (1..=MOST_NAME).contains(&name.chars().count());
            if !name.is_none_or(fits) {
                let problem = format!("must have 1 to {MOST_NAME} characters");
                return Err(Error::setting(key, problem));
            }
        }
        Ok(fields)
    }
}

/// Whether an issuer is at the origin of an address.
pub(crate) fn is_of_origin(issuer: &str, url: &Url) -> bool {
    Url::parse(issuer).is_ok_and(|issuer| issuer.origin() == url.origin())
}

fn credential(key: &'static str, text: Option<&str>) -> Result<String, Error> {
    let text = text.ok_or_else(|| Error::setting(key, "must be set"))?;
    let fits = (1..=MOST_CREDENTIAL).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    match fits {
        true => Ok(text.to_owned()),
        false => Err(Error::setting(
            key,
            "must be what the service gave you, without blanks",
        )),
    }
}

fn address(key: &'static str, set: Option<Url>, of_preset: Option<Url>) -> Result<Url, Error> {
    set.or(of_preset)
        .ok_or_else(|| Error::setting(key, "must be set where no `preset` is"))
}

fn check_address(key: &'static str, url: &Url, reach: Reach) -> Result<(), Error> {
    let is_near = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let (is_right, expected) = match reach {
        Reach::Public => (url.scheme() == "https", "an `https` address"),
        Reach::Loopback => (
            is_near && ["http", "https"].contains(&url.scheme()),
            "an address on this machine, as `loopback` is set,",
        ),
    };
    match is_right && is_plain {
        true => Ok(()),
        false => {
            let problem = format!("must be {expected} without user name, password and fragment");
            Err(Error::setting(key, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(table: Value) -> Result<Config, Error> {
        let Value::Object(table) = table else {
            panic!("a table");
        };
        Config::from_table(table)
    }

    /// `with` over a table that can be read.
    fn github(with: Value) -> Result<Config, Error> {
        let mut table = json!({"preset": "github", "client_id": "i", "client_secret": "s"});
        let (Value::Object(table), Value::Object(with)) = (&mut table, with) else {
            panic!("tables");
        };
        table.extend(with);
        Config::from_table(table.clone())
    }

    fn urls(with: &str) -> Value {
        json!({
            "client_id": "i", "client_secret": "s", "authorization_url": format!("{with}/a"),
            "token_url": format!("{with}/t"), "user_url": format!("{with}/u"),
        })
    }

    #[test]
    fn three_keys_are_enough_with_a_preset() {
        let config = github(json!({})).unwrap();
        assert_eq!(config.label, "GitHub");
        assert_eq!(config.vouches(), "https://github.com");
        assert_eq!(config.scopes, ["read:user", "user:email"]);
        assert_eq!(config.client_auth, ClientAuth::Post);
        assert_eq!(
            config.issuer.as_deref(),
            Some("https://github.com/login/oauth")
        );
        assert!(!config.needs_issuer);
    }

    #[test]
    fn five_keys_are_enough_without_one() {
        let config = read(urls("https://id.example.org")).unwrap();
        assert_eq!(config.label, "id.example.org");
        assert_eq!(config.client_auth, ClientAuth::Basic);
        assert_eq!(config.fields.id, "id");
        assert_eq!(config.issuer, None);
    }

    #[test]
    fn what_the_table_says_stands_above_the_preset() {
        let config = github(json!({
            "label": "Code", "scopes": ["user"], "client_auth": "basic", "id_field": "uid",
            "organisations": ["acme"], "token_url": "https://git.example.org/t",
            "authorization_url": "https://git.example.org/a", "email_field": "mail",
        }))
        .unwrap();
        assert_eq!(config.label, "Code");
        assert_eq!(
            config.scopes,
            ["user", "read:org"],
            "as organisations count"
        );
        assert_eq!(config.client_auth, ClientAuth::Basic);
        assert_eq!(
            (config.fields.id.as_str(), config.fields.id_type),
            ("uid", IdType::Any)
        );
        assert_eq!(config.fields.email.as_deref(), Some("mail"));
        assert_eq!(config.fields.user_name.as_deref(), Some("login"));
        assert_eq!(config.vouches(), "https://git.example.org");
        assert_eq!(config.issuer, None, "GitHub's own is not this server's");
    }

    #[test]
    fn a_wrong_type_is_told_without_the_value() {
        for (key, expected) in KEYS {
            let error = github(json!({ key: {"hunter2": 1} })).unwrap_err();
            assert_eq!(error.to_string(), format!("`{key}` must be {expected}"));
        }
        let error = github(json!({"client_auth": "digest"})).unwrap_err();
        assert_eq!(error.to_string(), "`client_auth` must be `basic` or `post`");
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_known_ones() {
        let refused = github(json!({"secret": "hunter2"}))
            .unwrap_err()
            .to_string();
        assert!(
            refused.starts_with("`secret` is not a key of the oauth2 provider"),
            "{refused}"
        );
        assert!(refused.contains("`client_secret`"), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }

    #[test]
    fn what_is_missing_or_cannot_be_is_named() {
        let long = "x".repeat(2_000);
        for (with, text) in [
            (
                json!({"preset": "gitlab"}),
                "`preset` must be one of `discord`, `facebook`, `github`, not `gitlab`",
            ),
            (
                json!({"client_id": ""}),
                "`client_id` must be what the service gave you, without blanks",
            ),
            (
                json!({"client_secret": "a b"}),
                "`client_secret` must be what the service gave you, without blanks",
            ),
            (
                json!({"client_secret": long}),
                "`client_secret` must be what the service gave you, without blanks",
            ),
            (
                json!({"label": " "}),
                "`label` must have 1 to 40 characters",
            ),
            (
                json!({"id_field": ""}),
                "`id_field` must have 1 to 100 characters",
            ),
            (
                json!({"scopes": ["a b"]}),
                "`scopes` must be a list of scopes without blanks, and has `a b`",
            ),
            (
                json!({"organisations": [""]}),
                "`organisations` must not hold an empty text",
            ),
            (
                json!({"preset": "facebook", "organisations": ["acme"]}),
                "`organisations` needs `organisations_url`, which this preset has not",
            ),
        ] {
            assert_eq!(github(with).unwrap_err().to_string(), text);
        }
        for key in ["client_id", "client_secret"] {
            let mut table = urls("https://id.example.org");
            table.as_object_mut().unwrap().remove(key);
            let refused = read(table).unwrap_err().to_string();
            assert_eq!(refused, format!("`{key}` must be set"));
        }
        for key in ["authorization_url", "token_url", "user_url"] {
            let mut table = urls("https://id.example.org");
            table.as_object_mut().unwrap().remove(key);
            let refused = read(table).unwrap_err().to_string();
            assert_eq!(refused, format!("`{key}` must be set where no `preset` is"));
        }
    }

    #[test]
    fn s46_only_https_addresses_can_be_configured() {
        for key in [
            "authorization_url",
            "token_url",
            "user_url",
            "emails_url",
            "organisations_url",
        ] {
            for url in [
                "http://id.example.org/x",
                "http://127.0.0.1/x",
                "file:///etc/passwd",
                "https://user:hunter2@id.example.org/x",
                "https://id.example.org/x#y",
            ] {
                let refused = github(json!({ key: url })).unwrap_err().to_string();
                let text = format!(
                    "`{key}` must be an `https` address without user name, password and fragment"
                );
                assert_eq!(refused, text, "{url}");
            }
        }
    }

    #[test]
    fn s46_with_loopback_nothing_but_this_machine_can_be_configured() {
        for host in [
            "http://127.0.0.1:9",
            "http://[::1]:9",
            "http://localhost:9",
            "https://localhost",
        ] {
            let mut table = urls(host);
            table["loopback"] = json!(true);
            assert_eq!(read(table).unwrap().reach, Reach::Loopback);
        }
        for host in [
            "http://10.0.0.1",
            "https://id.example.org",
            "http://localhost.example.org",
        ] {
            let mut table = urls(host);
            table["loopback"] = json!(true);
            let refused = read(table).unwrap_err().to_string();
            assert!(
                refused.contains("must be an address on this machine"),
                "{refused}"
            );
        }
        let refused = github(json!({"loopback": true})).unwrap_err().to_string();
        assert!(
            refused.starts_with("`authorization_url` must be an address on this"),
            "{refused}"
        );
    }
}
