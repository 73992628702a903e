//! A service inside this process that lies: how it is found out that lies are not
//! believed.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gatelodge_core::{
    Error as CoreError, ErrorKind, Result,
    provider::{HttpRequest, HttpResponse, State},
    secret::Secret,
};
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::IdType;
use crate::{ClientAuth, Config};

macro_rules! lies {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A rule that a service can break.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Lie {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Lie {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// What it says, in words.
            pub fn words(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

lies! {
    /// a callback without `state`
    NoState,
    /// a callback with an empty `state`
    EmptyState,
    /// a callback with the `state` of another sign-in
    OtherState,
    /// a callback that says it is of another issuer
    OtherIssuer,
    /// a callback that does not say of which issuer it is, where it must
    NoIssuer,
    /// a callback with an error and a code
    ErrorWithCode,
    /// a callback with neither
    NoCode,
    /// a sign-in of another connection that comes back here
    OtherConnection,
    /// a code of another sign-in
    OtherCode,
    /// a code that was used before
    UsedCode,
    /// a token endpoint that refuses
    TokenRefused,
    /// an error of the token endpoint with the status of success
    TokenErrorAsSuccess,
    /// a token endpoint that fails
    TokenFails,
    /// a token endpoint that redirects
    TokenRedirects,
    /// a page in place of a token
    TokenPage,
    /// a form in place of a token as JSON
    TokenForm,
    /// a token response without end
    TokenTooLarge,
    /// a token response without a token
    TokenMissing,
    /// a token that is no text
    TokenNoText,
    /// an empty token
    TokenEmpty,
    /// a token that is no header value
    TokenBroken,
    /// a token of another type than bearer
    TokenOtherType,
    /// a token without a type
    TokenNoType,
    /// a user document that the token does not open
    UserRefused,
    /// a user document that redirects
    UserRedirects,
    /// a page in place of a user document
    UserPage,
    /// a list in place of a user document
    UserList,
    /// a user document without end
    UserTooLarge,
    /// a user without an id
    IdMissing,
    /// a user whose id is `null`
    IdNull,
    /// a user with an empty id
    IdEmpty,
    /// a user whose id is an object
    IdObject,
    /// a user whose id is `true`
    IdFlag,
    /// a user whose id is a number with a fraction
    IdFraction,
    /// a user whose id is a number below zero
    IdNegative,
    /// a user whose id is of another type than this service's ids
    IdOtherType,
    /// a user whose id has more than 255 bytes
    IdTooLong,
    /// an address that the service did not verify
    EmailUnverified,
    /// an address without a word about whether it is verified
    EmailSilent,
    /// an address that is verified by the text `true`
    EmailVerifiedByText,
    /// an address that is verified by the number 1
    EmailVerifiedByNumber,
    /// a verified address that is not the primary one
    EmailSecondary,
    /// an address that is no text
    EmailNoText,
    /// somebody who is in none of the allowed organisations
    NoMember,
    /// somebody in an organisation that is called like the id of an allowed one
    NamedLikeAnId,
    /// organisations that are no list
    MembershipsNoList,
    /// organisations that are not told
    MembershipsRefused,
}

impl Lie {
    /// Whether it can be told to this connection at all.
    pub fn concerns(self, config: &Config) -> bool {
        match self {
            Self::NoIssuer => config.needs_issuer,
            Self::IdOtherType => config.fields.id_type != IdType::Any,
            Self::EmailSecondary => config.emails_url.is_some(),
            Self::EmailUnverified
            | Self::EmailSilent
            | Self::EmailVerifiedByText
            | Self::EmailVerifiedByNumber
            | Self::EmailNoText => config.emails_url.is_some() || config.fields.email.is_some(),
            Self::NamedLikeAnId => config.organisations.iter().any(|entry| digits(entry)),
            Self::NoMember | Self::MembershipsNoList | Self::MembershipsRefused => {
                !config.organisations.is_empty()
            }
            _ => true,
        }
    }

    /// Whether it is about an address alone: then somebody comes in, and the address
    /// counts as claimed.
    pub fn is_about_verification(self) -> bool {
        matches!(
            self,
            Self::EmailUnverified
                | Self::EmailSilent
                | Self::EmailVerifiedByText
                | Self::EmailVerifiedByNumber
                | Self::EmailSecondary
        )
    }
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The service. Without a lie it does what it must, strictly: a code counts once, for
/// the application, the address and the verifier that it was made for.
pub struct Liar<'a> {
    config: &'a Config,
    lie: Option<Lie>,
    codes: Mutex<BTreeMap<String, Code>>,
}

/// A code, and what it is for.
struct Code {
    challenge: String,
    redirect_uri: String,
    is_used: bool,
}

impl std::fmt::Debug for Liar<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Liar")
            .field("lie", &self.lie)
            .finish_non_exhaustive()
    }
}

impl<'a> Liar<'a> {
    /// In place of the service of a connection; `None`: an honest one.
    pub fn new(config: &'a Config, lie: Option<Lie>) -> Self {
        Self {
            config,
            lie,
            codes: Mutex::default(),
        }
    }

    /// What the browser brings back after it was sent to `url`.
    pub fn callback(&self, url: &Url) -> BTreeMap<String, Secret> {
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let said = |name: &str| query.get(name).cloned().unwrap_or_default();
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let code = format!("code-{}", codes.len() + 4_711);
        let made = Code {
            challenge: said("code_challenge"),
            redirect_uri: said("redirect_uri"),
            is_used: false,
        };
        codes.insert(code.clone(), made);
        let mut parameters = BTreeMap::from([("code", code), ("state", said("state"))]);
        if let Some(issuer) = &self.config.issuer {
            parameters.insert("iss", issuer.clone());
        }
        match self.lie {
            Some(Lie::NoState) => drop(parameters.remove("state")),
            Some(Lie::EmptyState) => drop(parameters.insert("state", String::new())),
            Some(Lie::OtherState) => drop(parameters.insert("state", "x".repeat(43))),
            Some(Lie::OtherIssuer) => {
                parameters.insert("iss", "https://liar.example".to_owned());
            }
            Some(Lie::NoIssuer) => drop(parameters.remove("iss")),
            Some(Lie::ErrorWithCode) => {
                parameters.insert("error", "access_denied".to_owned());
            }
            Some(Lie::NoCode) => drop(parameters.remove("code")),
            _ => {}
        }
        let secret = |(name, value): (&str, String)| (name.to_owned(), Secret::new(value));
        parameters.into_iter().map(secret).collect()
    }

    /// What it answers to a request.
    ///
    /// # Errors
    /// As the server's client: what is without end is not read to it.
    pub fn answer(&self, request: &HttpRequest) -> Result<HttpResponse> {
        if request.url == self.config.token_url {
            return self.token(request);
        }
        let bearer = request.headers.get("authorization");
        if bearer.map(String::as_str) != Some("Bearer token-1") {
            return Ok(said(401, &json!({"message": "no token"})));
        }
        let is = |url: &Option<Url>| url.as_ref() == Some(&request.url);
        if request.url == self.config.user_url {
            self.user()
        } else if is(&self.config.emails_url) {
            Ok(said(200, &self.emails()))
        } else if is(&self.config.organisations_url) {
            Ok(self.organisations())
        } else {
            Ok(said(404, &json!({})))
        }
    }

    fn token(&self, request: &HttpRequest) -> Result<HttpResponse> {
        if !self.is_right(request) {
            return Ok(said(400, &json!({"error": "invalid_grant"})));
        }
        let honest =
            json!({"access_token": "token-1", "token_type": "Bearer", "expires_in": 3_600});
        Ok(match self.lie {
            Some(Lie::TokenRefused) => said(400, &json!({"error": "invalid_client"})),
            Some(Lie::TokenErrorAsSuccess) => said(200, &json!({"error": "bad_verification_code"})),
            Some(Lie::TokenFails) => said(500, &honest),
            Some(Lie::TokenRedirects) => redirect(&honest),
            Some(Lie::TokenPage) => page(),
            Some(Lie::TokenForm) => sent(
                200,
                "application/x-www-form-urlencoded",
                "access_token=token-1&token_type=bearer",
            ),
            Some(Lie::TokenTooLarge) => return Err(endless()),
            Some(Lie::TokenMissing) => said(200, &without(honest, "access_token")),
            Some(Lie::TokenNoText) => said(200, &with(honest, "access_token", json!(4_711))),
            Some(Lie::TokenEmpty) => said(200, &with(honest, "access_token", json!(""))),
            Some(Lie::TokenBroken) => said(200, &with(honest, "access_token", json!("a\r\nb: c"))),
            Some(Lie::TokenOtherType) => said(200, &with(honest, "token_type", json!("mac"))),
            Some(Lie::TokenNoType) => said(200, &without(honest, "token_type")),
            _ => said(200, &honest),
        })
    }

    /// Whether a code is exchanged as RFC 6749 section 4.1.3 and RFC 7636 section 4.6
    /// want it; it is used up then.
    fn is_right(&self, request: &HttpRequest) -> bool {
        let body: BTreeMap<String, String> = form_urlencoded::parse(&request.body.0)
            .into_owned()
            .collect();
        let said = |name: &str| body.get(name).map_or("", String::as_str);
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(code) = codes.get_mut(said("code")).filter(|code| !code.is_used) else {
            return false;
        };
        code.is_used = true;
        let verifier = PkceCodeVerifier::new(said("code_verifier").to_owned());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let config = self.config;
        let is_client = match config.client_auth {
            ClientAuth::Basic => request.headers.get("authorization") == Some(&basic(config)),
            ClientAuth::Post => {
                said("client_id") == config.client_id
                    && said("client_secret") == config.client_secret.expose()
            }
        };
        is_client
            && request.method == "POST"
            && said("grant_type") == "authorization_code"
            && said("redirect_uri") == code.redirect_uri
            && challenge.as_str() == code.challenge
    }

    fn user(&self) -> Result<HttpResponse> {
        let honest = self.person();
        let id = |value| with(honest.clone(), &self.config.fields.id, value);
        Ok(match self.lie {
            Some(Lie::UserRefused) => said(403, &honest),
            Some(Lie::UserRedirects) => redirect(&honest),
            Some(Lie::UserPage) => page(),
            Some(Lie::UserList) => said(200, &json!([honest])),
            Some(Lie::UserTooLarge) => return Err(endless()),
            Some(Lie::IdMissing) => said(200, &without(honest, &self.config.fields.id)),
            Some(Lie::IdNull) => said(200, &id(Value::Null)),
            Some(Lie::IdEmpty) => said(200, &id(json!(""))),
            Some(Lie::IdObject) => said(200, &id(json!({"id": 4_711}))),
            Some(Lie::IdFlag) => said(200, &id(json!(true))),
            Some(Lie::IdFraction) => said(200, &id(json!(4_711.5))),
            Some(Lie::IdNegative) => said(200, &id(json!(-4_711))),
            Some(Lie::IdTooLong) => said(200, &id(json!("4".repeat(256)))),
            Some(Lie::IdOtherType) => said(
                200,
                &id(match self.config.fields.id_type {
                    IdType::Number => json!("4711"),
                    _ => json!(4_711),
                }),
            ),
            _ => said(200, &honest),
        })
    }

    /// What an honest service says of somebody, apart from the address.
    fn person(&self) -> Value {
        let fields = &self.config.fields;
        let id = match fields.id_type {
            IdType::Number => json!(4_711),
            _ => json!("4711"),
        };
        let mut person = json!({});
        let mut put = |field: Option<&String>, value: Value| {
            if let (Some(field), Some(person)) = (field, person.as_object_mut()) {
                person.insert(field.clone(), value);
            }
        };
        put(fields.user_name.as_ref(), json!("ada"));
        put(fields.name.as_ref(), json!("Ada Lovelace"));
        if self.config.emails_url.is_none() {
            put(fields.email.as_ref(), self.email());
            let verified = self.verified().unwrap_or_default();
            put(fields.email_verified.as_ref(), verified);
        }
        put(Some(&fields.id), id);
        person
    }

    fn email(&self) -> Value {
        match self.lie {
            Some(Lie::EmailNoText) => json!({"address": "ada@example.org"}),
            _ => json!("ada@example.org"),
        }
    }

    /// What is said of whether the address is verified; `None`: nothing.
    fn verified(&self) -> Option<Value> {
        match self.lie {
            Some(Lie::EmailUnverified) => Some(json!(false)),
            Some(Lie::EmailSilent) => None,
            Some(Lie::EmailVerifiedByText) => Some(json!("true")),
            Some(Lie::EmailVerifiedByNumber) => Some(json!(1)),
            _ => Some(json!(true)),
        }
    }

    fn emails(&self) -> Value {
        let is_primary = self.lie != Some(Lie::EmailSecondary);
        let mut entry = json!({"email": self.email(), "primary": is_primary});
        if let Some(verified) = self.verified() {
            entry = with(entry, "verified", verified);
        }
        json!([{"email": "old@example.org", "primary": false, "verified": true}, entry])
    }

    fn organisations(&self) -> HttpResponse {
        let fields = &self.config.fields;
        let entry = |id: &str, name: &str| {
            let mut entry = json!({});
            for (field, text) in [
                (&fields.organisation_id, id),
                (&fields.organisation_name, name),
            ] {
                if let Some(field) = field {
                    entry = with(entry, field, json!(text));
                }
            }
            entry
        };
        let mut allowed = self.config.organisations.iter();
        match self.lie {
            Some(Lie::NoMember) => said(200, &json!([entry("1", "liars")])),
            Some(Lie::NamedLikeAnId) => {
                let id = allowed.find(|entry| digits(entry));
                said(200, &json!([entry("1", id.map_or("", String::as_str))]))
            }
            Some(Lie::MembershipsNoList) => said(200, &json!({"all": true})),
            Some(Lie::MembershipsRefused) => said(403, &json!([])),
            _ => {
                let of = |name: &String| match digits(name) {
                    true => entry(name, "members"),
                    false => entry("2", name),
                };
                said(200, &allowed.map(of).collect())
            }
        }
    }
}

fn basic(config: &Config) -> String {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let (id, secret) = (&config.client_id, config.client_secret.expose());
    let pair = format!("{}:{}", encoded(id), encoded(secret));
    format!("Basic {}", STANDARD.encode(pair))
}

fn with(mut value: Value, key: &str, what: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.insert(key.to_owned(), what);
    }
    value
}

fn without(mut value: Value, key: &str) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.remove(key);
    }
    value
}

fn said(status: u16, what: &Value) -> HttpResponse {
    sent(status, "application/json; charset=utf-8", &what.to_string())
}

fn sent(status: u16, kind: &str, body: &str) -> HttpResponse {
    HttpResponse {
        status,
        headers: [("content-type".to_owned(), kind.to_owned())].into(),
        body: State(body.into()),
    }
}

fn page() -> HttpResponse {
    sent(200, "text/html", "<!doctype html><title>Sign in</title>")
}

fn redirect(body: &Value) -> HttpResponse {
    let mut response = said(307, body);
    let location = "https://liar.example/".to_owned();
    response.headers.insert("location".to_owned(), location);
    response
}

fn endless() -> CoreError {
    CoreError::new(
        ErrorKind::Unavailable,
        "the body of the answer is too large",
    )
}
