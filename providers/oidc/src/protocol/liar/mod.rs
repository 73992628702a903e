//! A third party that lies, for tests and for `gatelodge provider doctor`. Nothing of it
//! is reached by a sign-in.

mod grant;
mod lie;
mod pairs;
mod tokens;

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gatelodge_core::{
    Error as CoreError, ErrorKind, Result,
    provider::{HttpRequest, HttpResponse, State},
    secret::Secret,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

pub use self::lie::Lie;
use self::{grant::Grant, tokens::KID};
use super::{ClientAuth, Metadata, PERSONAL, algorithm, algorithm_names, of_tenant};
use crate::Config;

/// More than an answer may have.
const HUGE: usize = 256 * 1024 + 1;
/// An issuer that nobody configured.
const ELSEWHERE: &str = "https://evil.example";

/// The third party of a connection, played in this process: it answers the requests that
/// the provider makes, and says what comes back to the callback. It keeps to the
/// standards, unless it was told to break one rule.
///
/// It keeps nothing: what codes and tokens stand for is written into them.
#[derive(Clone)]
pub struct Liar {
    config: Config,
    lie: Option<Lie>,
    said: BTreeMap<String, Value>,
    is_barring: bool,
    rotated: bool,
    headers: BTreeMap<String, String>,
    metadata: BTreeMap<String, Value>,
    now: Option<Timestamp>,
}

impl Liar {
    /// The honest third party of a connection.
    pub fn of(config: &Config) -> Self {
        Self {
            config: config.clone(),
            lie: None,
            said: BTreeMap::new(),
            is_barring: false,
            rotated: false,
            headers: BTreeMap::new(),
            metadata: BTreeMap::new(),
            now: None,
        }
    }

    /// The same, telling a lie.
    #[must_use]
    pub fn telling(mut self, lie: Lie) -> Self {
        self.lie = Some(lie);
        self
    }

    /// The same, with another claim about everybody; `null` takes one away.
    #[must_use]
    pub fn saying(mut self, claim: &str, value: Value) -> Self {
        self.said.insert(claim.to_owned(), value);
        self
    }

    /// The same, with nobody let in any more who has a refresh token.
    #[must_use]
    pub fn barring(mut self) -> Self {
        self.is_barring = true;
        self
    }

    /// The same, after its key was replaced by a new one of another name.
    #[must_use]
    pub fn with_new_key(mut self) -> Self {
        self.rotated = true;
        self
    }

    /// The same, with a header field on metadata and keys.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same, with another member of its metadata; `null` takes one away.
    #[must_use]
    pub fn with_metadata(mut self, name: &str, value: Value) -> Self {
        self.metadata.insert(name.to_owned(), value);
        self
    }

    /// The same, at a time when tokens are renewed.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = Some(now);
        self
    }

    /// Signs somebody in at the authorization endpoint at `now`: what comes back to the
    /// callback.
    pub fn authorize(&self, url: &Url, subject: &str, now: Timestamp) -> BTreeMap<String, Secret> {
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let of = |name: &str| query.get(name).cloned().unwrap_or_default();
        let mut callback = BTreeMap::new();
        let mut set = |name: &str, value: String| callback.insert(name.to_owned(), value.into());
        set("state", of("state"));
        if self.names_issuer() {
            set("iss", self.config.published_issuer().to_owned());
        }
        match self.wrong(&query) {
            Some(error) => set("error", error.to_owned()),
            None => {
                let is_offline = self.config.recheck;
                let is_of_another = self.lie == Some(Lie::CodeOfAnotherSignIn);
                let mut grant = Grant {
                    subject: subject.to_owned(),
                    nonce: of("nonce"),
                    redirect_uri: of("redirect_uri"),
                    challenge: query.get("code_challenge").cloned(),
                    is_offline,
                    at: now.as_second(),
                    turn: 0,
                };
                if is_of_another {
                    grant.nonce = "of-another-sign-in".to_owned();
                    grant.challenge = grant.challenge.map(|_| challenge("of-another-sign-in"));
                }
                set("code", grant.write("code"))
            }
        };
        self.bend_callback(&mut callback);
        callback
    }

    /// What is wrong with a request for authorization.
    fn wrong(&self, query: &BTreeMap<String, String>) -> Option<&'static str> {
        let is = |name: &str, value: &str| query.get(name).is_some_and(|given| given == value);
        let scopes = query.get("scope").map(String::as_str).unwrap_or_default();
        let is_bound = |name: &str| query.get(name).is_some_and(|value| value.len() >= 43);
        let is_challenged = is("code_challenge_method", "S256") && is_bound("code_challenge");
        let mode = self.config.response_mode.as_str();
        if !is("response_type", "code")
            || !scopes.split(' ').any(|scope| scope == "openid")
            || !is_bound("nonce")
            || !is_bound("state")
            || (self.config.preset.pkce && !is_challenged)
            || !(is("response_mode", mode)
                || (mode == "query" && !query.contains_key("response_mode")))
        {
            return Some("invalid_request");
        }
        (!is("client_id", &self.config.client_id)).then_some("unauthorized_client")
    }

    fn bend_callback(&self, callback: &mut BTreeMap<String, Secret>) {
        let mut set = |name: &str, value: &str| callback.insert(name.to_owned(), value.into());
        match self.lie {
            Some(Lie::CallbackOfAnother) => set("iss", ELSEWHERE),
            Some(Lie::ErrorOfAnother) => {
                set("iss", ELSEWHERE);
                set("error", "access_denied")
            }
            Some(Lie::CallbackOfNobody) => callback.remove("iss"),
            Some(Lie::ForeignState) => set("state", &"x".repeat(43)),
            Some(Lie::NoState) => callback.remove("state"),
            Some(Lie::EmptyState) => set("state", ""),
            Some(Lie::NoCode) => callback.remove("code"),
            Some(Lie::EmptyCode) => set("code", ""),
            Some(Lie::HugeCode) => set("code", &"7".repeat(64 * 1024)),
            _ => None,
        };
    }

    /// Whether callbacks name the issuer. Who is one of many cannot.
    fn names_issuer(&self) -> bool {
        self.lie == Some(Lie::CallbackOfNobody) || !self.config.issuer.is_open()
    }

    /// Answers a request.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] where it does not answer.
    pub fn answer(&self, request: &HttpRequest) -> Result<HttpResponse> {
        let endpoint = self.endpoints();
        let url = &request.url;
        let metadata = Metadata::address(self.config.issuer());
        if metadata.as_ref() == Some(url) {
            return self.public(
                self.metadata(),
                [Lie::HugeMetadata, Lie::RedirectingMetadata],
            );
        }
        if *url == endpoint.keys {
            return self.public(self.keys(), [Lie::HugeKeys, Lie::RedirectingKeys]);
        }
        if *url == endpoint.userinfo && request.method == "GET" {
            return self.userinfo(request);
        }
        if *url == endpoint.token && request.method == "POST" {
            return self.tokens(request);
        }
        if url.path() == endpoint.authorization.path() {
            return Ok(self.unasked(url));
        }
        Ok(answer(404, json!({"error": "not_found"})))
    }

    /// Somebody who is not to be asked goes back at once (`prompt=none`); whose client it
    /// does not know is shown a page.
    fn unasked(&self, url: &Url) -> HttpResponse {
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let is_known = query.get("client_id") == Some(&self.config.client_id);
        let back = query.get("redirect_uri").filter(|_| is_known);
        match back {
            Some(back) => {
                let mut answered = raw(303, String::new());
                let location = format!("{back}?error=login_required");
                answered.headers.insert("location".to_owned(), location);
                answered
            }
            None => answer(400, json!({"error": "invalid_client"})),
        }
    }

    fn public(&self, body: String, [huge, redirecting]: [Lie; 2]) -> Result<HttpResponse> {
        match self.lie {
            Some(Lie::SlowMetadata) if huge == Lie::HugeMetadata => Err(silence()),
            Some(lie) if lie == huge => Ok(padded(&body)),
            Some(lie) if lie == redirecting => Ok(elsewhere()),
            _ => {
                let mut answered = raw(200, body);
                answered.headers.extend(self.headers.clone());
                Ok(answered)
            }
        }
    }

    fn metadata(&self) -> String {
        let endpoint = self.endpoints();
        let in_clear = |url: &Url, lie: Lie| match self.lie == Some(lie) {
            true => url.as_str().replacen("https:", "http:", 1),
            false => url.to_string(),
        };
        let issuer = self.config.published_issuer();
        let issuer = match self.lie {
            Some(Lie::OtherMetadataIssuer) => ELSEWHERE.to_owned(),
            Some(Lie::MetadataIssuerWithSlash) => format!("{issuer}/"),
            _ => issuer.to_owned(),
        };
        let mut metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": in_clear(&endpoint.authorization, Lie::AuthorizationInClear),
            "token_endpoint": in_clear(&endpoint.token, Lie::TokenEndpointInClear),
            "userinfo_endpoint": endpoint.userinfo,
            "jwks_uri": in_clear(&endpoint.keys, Lie::KeysInClear),
            "end_session_endpoint": endpoint.end_session,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.honest_algorithm()],
            "token_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": self.names_issuer(),
        });
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.extend(self.metadata.clone());
            metadata.retain(|_, value| !value.is_null());
        }
        let text = metadata.to_string();
        match self.lie {
            Some(Lie::MetadataTwice) => {
                text.replacen('{', "{\"issuer\":\"https://evil.example\",", 1)
            }
            _ => text,
        }
    }

    fn keys(&self) -> String {
        let mut published = match self.jwk() {
            Value::Object(jwk) => jwk,
            _ => Map::new(),
        };
        let mut set = |name: &str, value: Value| published.insert(name.to_owned(), value);
        set("kid", self.kid().into());
        set("use", "sig".into());
        match self.lie {
            Some(Lie::KeyForEncryption) => set("use", "enc".into()),
            Some(Lie::KeyForAnotherAlgorithm) => set("alg", self.another_algorithm().into()),
            Some(Lie::PersonalKeyForTenant) => set("issuer", of_tenant(PERSONAL).into()),
            _ => None,
        };
        let mut other = match self.foreign_jwk() {
            Value::Object(jwk) => jwk,
            _ => Map::new(),
        };
        let name = if self.lie == Some(Lie::KeyNamedTwice) {
            KID
        } else {
            "key-0"
        };
        other.insert("kid".to_owned(), name.into());
        match self.lie {
            Some(Lie::NoKeys) => json!({"keys": []}),
            Some(Lie::NoKeyNamed | Lie::KeyNamedTwice) => json!({"keys": [published, other]}),
            _ => json!({"keys": [published]}),
        }
        .to_string()
    }

    /// The name of the published key.
    fn kid(&self) -> &'static str {
        if self.rotated { "key-3" } else { KID }
    }

    /// The published key.
    fn jwk(&self) -> Value {
        let pair = pairs::pair(&self.honest_algorithm(), !self.rotated);
        pair.map_or(Value::Null, |pair| Value::Object(pair.jwk.clone()))
    }

    fn foreign_jwk(&self) -> Value {
        let pair = pairs::pair(&self.honest_algorithm(), self.rotated);
        pair.map_or(Value::Null, |pair| Value::Object(pair.jwk.clone()))
    }

    /// The first of the configured algorithms.
    fn honest_algorithm(&self) -> String {
        let first = self.config.algorithms.first();
        let is_first = |name: &&str| algorithm(name).as_ref() == first;
        algorithm_names()
            .find(is_first)
            .unwrap_or("RS256")
            .to_owned()
    }

    /// Another one than that.
    fn another_algorithm(&self) -> String {
        let honest = self.honest_algorithm();
        algorithm_names()
            .find(|name| *name != honest)
            .unwrap_or_default()
            .to_owned()
    }

    fn tokens(&self, request: &HttpRequest) -> Result<HttpResponse> {
        match self.lie {
            Some(Lie::SlowTokens) => return Err(silence()),
            Some(Lie::RedirectingTokens) => return Ok(elsewhere()),
            _ => {}
        }
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(&request.body.0)
            .into_owned()
            .collect();
        if !self.knows_client(request, &form) {
            return Ok(answer(401, json!({"error": "invalid_client"})));
        }
        let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let grant = match of("grant_type") {
            "authorization_code" => {
                let grant = Grant::read("code", of("code"));
                grant.filter(|grant| self.is_bound(grant, &form))
            }
            "refresh_token" if !self.is_barring => self.renewed(of("refresh_token")),
            _ => None,
        };
        let Some(grant) = grant else {
            return Ok(answer(400, json!({"error": "invalid_grant"})));
        };
        let body = self.granted(&grant);
        match self.lie {
            Some(Lie::HugeTokens) => Ok(padded(&body.to_string())),
            _ => Ok(answer(200, body)),
        }
    }

    /// What a refresh token stands for now.
    fn renewed(&self, token: &str) -> Option<Grant> {
        let grant = Grant::read("refresh", token)?;
        let at = self.now.map_or(grant.at, Timestamp::as_second);
        Some(Grant { at, ..grant })
    }

    /// What is given for a grant.
    fn granted(&self, grant: &Grant) -> Value {
        let access = grant.write("access");
        let told = match self.lie {
            Some(Lie::ForeignAccessToken) => Grant {
                turn: 99,
                ..grant.clone()
            }
            .write("access"),
            _ => access.clone(),
        };
        let mut body = json!({
            "access_token": told,
            "token_type": if self.lie == Some(Lie::NotBearer) { "mac" } else { "Bearer" },
            "expires_in": 3_600,
        });
        if let Some(body) = body.as_object_mut() {
            if let Some(token) = self.id_token(grant, &access) {
                body.insert("id_token".to_owned(), token.into());
            }
            if grant.is_offline {
                let next = Grant {
                    turn: grant.turn.wrapping_add(1),
                    ..grant.clone()
                };
                body.insert("refresh_token".to_owned(), next.write("refresh").into());
            }
        }
        body
    }

    /// Whether the code belongs to what comes with it. A liar takes any.
    fn is_bound(&self, grant: &Grant, form: &BTreeMap<String, String>) -> bool {
        let is_same = form.get("redirect_uri") == Some(&grant.redirect_uri);
        let is_challenged = match (&grant.challenge, form.get("code_verifier")) {
            (Some(told), Some(verifier)) => *told == challenge(verifier),
            (None, None) => true,
            _ => false,
        };
        let is_careless = self.lie == Some(Lie::CodeOfAnotherSignIn) && self.config.preset.nonce;
        is_same && (is_challenged || is_careless)
    }

    fn knows_client(&self, request: &HttpRequest, form: &BTreeMap<String, String>) -> bool {
        let id = &self.config.client_id;
        let names = form.get("client_id") == Some(id);
        let given = form.get("client_secret");
        match &self.config.client_auth {
            ClientAuth::Basic(secret) => {
                let part = |text: &str| -> String {
                    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
                };
                let both = STANDARD.encode(format!("{}:{}", part(id), part(secret.expose())));
                request.headers.get("authorization") == Some(&format!("Basic {both}"))
            }
            ClientAuth::Post(secret) => {
                names && given.is_some_and(|given| given == secret.expose())
            }
            ClientAuth::None => names && given.is_none(),
            ClientAuth::Apple(_) => {
                names && given.is_some_and(|token| token.split('.').count() == 3)
            }
        }
    }

    fn userinfo(&self, request: &HttpRequest) -> Result<HttpResponse> {
        let bearer = request.headers.get("authorization");
        let token = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let Some(grant) = token.and_then(|token| Grant::read("access", token)) else {
            return Ok(answer(401, json!({"error": "invalid_token"})));
        };
        let mut said = self.person(&grant.subject);
        match self.lie {
            Some(Lie::UserinfoOfAnother) => said.insert("sub".to_owned(), "somebody-else".into()),
            Some(Lie::UserinfoOfNobody) => None,
            _ => said.insert("sub".to_owned(), grant.subject.into()),
        };
        Ok(answer(200, Value::Object(said)))
    }

    fn endpoints(&self) -> Endpoints {
        let base = self.config.issuer().trim_end_matches('/');
        let at = |path: &str| {
            let url: std::result::Result<Url, _> = format!("{base}/{path}").parse();
            url.unwrap_or_else(|_| self.config.issuer_url())
        };
        Endpoints {
            authorization: at("authorize"),
            token: at("token"),
            keys: at("keys"),
            userinfo: at("userinfo"),
            end_session: at("sign-out"),
        }
    }
}

struct Endpoints {
    authorization: Url,
    token: Url,
    keys: Url,
    userinfo: Url,
    end_session: Url,
}

/// RFC 7636 section 4.2.
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

fn answer(status: u16, body: Value) -> HttpResponse {
    raw(status, body.to_string())
}

fn raw(status: u16, body: String) -> HttpResponse {
    HttpResponse {
        status,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: State(body.into_bytes()),
    }
}

/// More than may be read.
fn padded(body: &str) -> HttpResponse {
    raw(200, format!("{body}{}", " ".repeat(HUGE)))
}

fn elsewhere() -> HttpResponse {
    let mut answered = raw(302, String::new());
    let header = ("location".to_owned(), format!("{ELSEWHERE}/"));
    answered.headers.extend([header]);
    answered
}

/// What the server's client says of one that does not answer.
fn silence() -> CoreError {
    CoreError::new(ErrorKind::Unavailable, "there is no answer")
}
