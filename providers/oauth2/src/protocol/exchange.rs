//! Codes for tokens, and tokens for documents, over the server's guarded client.

use std::{collections::BTreeMap, pin::Pin, time::Duration};

use gatelodge_core::{
    Error as CoreError,
    provider::{Context, HttpRequest, HttpResponse, State},
    secret::Secret,
};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    TokenResponse as _, TokenUrl,
    basic::{
        BasicClient, BasicErrorResponseType, BasicRequestTokenError, BasicTokenResponse,
        BasicTokenType,
    },
};
use serde_json::Value;
use url::Url;

use super::Transaction;
use crate::{ClientAuth, Config, Error};

/// How long each request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How large a token response may be, in bytes; it holds two or three tokens.
const LARGEST_GRANT: usize = 64 * 1024;
/// What GitHub calls `invalid_grant`.
const GITHUB_REFUSALS: [&str; 2] = ["bad_refresh_token", "bad_verification_code"];
/// How long a token may be, in bytes.
const LONGEST_TOKEN: usize = 16 * 1024;

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// Why a third party does not say who somebody is.
pub(crate) enum Failure {
    /// It says no, or something that it must not: a stable short word.
    Refused(&'static str),
    /// It says nothing.
    Fault(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

/// What a third party hands out.
pub(crate) struct Granted {
    pub(crate) token: Secret,
    pub(crate) refresh_token: Option<Secret>,
}

/// Where the browser goes.
pub(crate) fn authorization_url(config: &Config, transaction: &Transaction) -> Url {
    let state = || CsrfToken::new(transaction.state.expose().to_owned());
    let scopes = config.scopes.iter().cloned().map(Scope::new);
    let (url, _) = client(config, Some(&transaction.redirect_uri))
        .authorize_url(state)
        .add_scopes(scopes)
        .set_pkce_challenge(transaction.challenge())
        .url();
    url
}

/// Exchanges a code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
pub(crate) async fn exchange(
    config: &Config,
    context: &Context<'_>,
    transaction: &Transaction,
    code: &Secret,
) -> Result<Granted, Failure> {
    let send = Messenger { config, context };
    let client = client(config, Some(&transaction.redirect_uri));
    let answer = client
        .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
        .set_pkce_verifier(transaction.verifier())
        .request_async(&send)
        .await;
    granted(answer)
}

/// Exchanges a refresh token (RFC 6749 section 6).
pub(crate) async fn refresh(
    config: &Config,
    context: &Context<'_>,
    token: &Secret,
) -> Result<Granted, Failure> {
    let send = Messenger { config, context };
    let client = client(config, None);
    let token = RefreshToken::new(token.expose().to_owned());
    granted(
        client
            .exchange_refresh_token(&token)
            .request_async(&send)
            .await,
    )
}

fn client(config: &Config, redirect_uri: Option<&Url>) -> Client {
    let client = BasicClient::new(ClientId::new(config.client_id.clone()))
        .set_client_secret(ClientSecret::new(config.client_secret.expose().to_owned()))
        .set_auth_uri(AuthUrl::from_url(config.authorization_url.clone()))
        .set_token_uri(TokenUrl::from_url(config.token_url.clone()))
        .set_auth_type(match config.client_auth {
            ClientAuth::Basic => AuthType::BasicAuth,
            ClientAuth::Post => AuthType::RequestBody,
        });
    match redirect_uri {
        Some(url) => client.set_redirect_uri(RedirectUrl::from_url(url.clone())),
        None => client,
    }
}

fn granted(
    answer: Result<BasicTokenResponse, BasicRequestTokenError<Error>>,
) -> Result<Granted, Failure> {
    let answer = answer.map_err(|error| match error {
        RequestTokenError::Request(error) => Failure::Fault(error),
        RequestTokenError::ServerResponse(response) => match response.error() {
            BasicErrorResponseType::InvalidGrant => Failure::Refused("grant_refused"),
            BasicErrorResponseType::Extension(word) if GITHUB_REFUSALS.contains(&word.as_str()) => {
                Failure::Refused("grant_refused")
            }
            _ => Failure::Refused("token_refused"),
        },
        // What came instead may hold a token, so that it is told nowhere.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Failure::Refused("bad_token_response")
        }
    })?;
    if *answer.token_type() != BasicTokenType::Bearer {
        return Err(Failure::Refused("bad_token_response"));
    }
    let is_token = |text: &str| {
        (1..=LONGEST_TOKEN).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let token = answer.access_token().secret();
    if !is_token(token) {
        return Err(Failure::Refused("bad_token_response"));
    }
    let refresh_token = answer.refresh_token().map(|token| token.secret());
    Ok(Granted {
        token: Secret::new(token.as_str()),
        refresh_token: refresh_token
            .filter(|text| is_token(text))
            .map(|text| Secret::new(text.as_str())),
    })
}

/// The server's client, for the library.
struct Messenger<'a> {
    config: &'a Config,
    context: &'a Context<'a>,
}

type Sent<'c> = Pin<Box<dyn Future<Output = Result<http::Response<Vec<u8>>, Error>> + Send + 'c>>;

impl<'c> AsyncHttpClient<'c> for Messenger<'_> {
    type Error = Error;
    type Future = Sent<'c>;

    fn call(&'c self, request: http::Request<Vec<u8>>) -> Sent<'c> {
        Box::pin(post(self.config, self.context, request))
    }
}

async fn post(
    config: &Config,
    context: &Context<'_>,
    request: http::Request<Vec<u8>>,
) -> Result<http::Response<Vec<u8>>, Error> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let request = HttpRequest {
        method: parts.method.as_str().to_owned(),
        url: config.token_url.clone(),
        reach: config.reach,
        headers: headers.collect(),
        body: State(body),
        timeout: TIMEOUT,
    };
    let answer = fetch(context, request).await?;
    let is_too_large = answer.body.0.len() > LARGEST_GRANT;
    let mut response = http::Response::builder().status(match answer.status {
        // Whatever it says, it is no token.
        _ if is_too_large => 413,
        // GitHub refuses with the status of success.
        200 if says_error(&answer.body) => 400,
        status => status,
    });
    if let Some(kind) = answer.headers.get("content-type") {
        response = response.header(http::header::CONTENT_TYPE, kind);
    }
    let body = if is_too_large {
        Vec::new()
    } else {
        answer.body.0
    };
    response.body(body).map_err(|_| Error::NoAnswer(None))
}

/// Whether a token response is about an error (RFC 6749 section 5.2).
fn says_error(body: &State) -> bool {
    let said: Option<Value> = serde_json::from_slice(&body.0).ok();
    said.is_some_and(|said| said.get("error").is_some_and(Value::is_string))
}

/// The JSON document at an address, as somebody's token opens it.
pub(crate) async fn read_json(
    config: &Config,
    context: &Context<'_>,
    url: &Url,
    token: &Secret,
) -> Result<Value, Failure> {
    let mut headers = BTreeMap::from([("accept".to_owned(), "application/json".to_owned())]);
    headers.extend(config.headers.clone());
    let bearer = format!("Bearer {}", token.expose());
    headers.insert("authorization".to_owned(), bearer);
    let answer = ask(config, context, url, headers).await?;
    if answer.status != 200 {
        return Err(Failure::Refused("user_refused"));
    }
    serde_json::from_slice(&answer.body.0).map_err(|_| Failure::Refused("bad_user_response"))
}

/// What is at an address.
pub(crate) async fn ask(
    config: &Config,
    context: &Context<'_>,
    url: &Url,
    headers: BTreeMap<String, String>,
) -> Result<HttpResponse, Error> {
    let request = HttpRequest {
        method: "GET".to_owned(),
        url: url.clone(),
        reach: config.reach,
        headers,
        body: State::default(),
        timeout: TIMEOUT,
    };
    fetch(context, request).await
}

/// Asks, and takes an answer that only says "not now" for none.
async fn fetch(context: &Context<'_>, request: HttpRequest) -> Result<HttpResponse, Error> {
    let answer = context.services.fetch(request).await;
    let answer = answer.map_err(|error: CoreError| Error::NoAnswer(Some(error)))?;
    match answer.status {
        429 | 500.. => Err(Error::NoAnswer(None)),
        _ => Ok(answer),
    }
}
