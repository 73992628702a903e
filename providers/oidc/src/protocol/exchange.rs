//! The way out and the exchange of what comes back, by `openidconnect`.

use std::{borrow::Cow, fmt, time::Duration};

use gatelodge_core::secret::Secret;
use openidconnect::{
    AccessToken, AuthType, AuthUrl, AuthenticationFlow, AuthorizationCode, Client, ClientId,
    ClientSecret, CsrfToken, EmptyAdditionalClaims, EndSessionUrl, EndpointNotSet, EndpointSet,
    IdToken, IssuerUrl, JsonWebKeySet, LogoutRequest, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, StandardErrorResponse, TokenResponse, TokenUrl,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreResponseType,
        CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse,
        CoreTokenType,
    },
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    metadata::Metadata, outside::Outside, preset::ResponseMode, secret::ClientAuth,
    transaction::Transaction,
};
use crate::{Config, Error};

const WHAT: &str = "token endpoint";

/// What the token endpoint gave.
#[derive(Deserialize, Serialize)]
pub(crate) struct Tokens {
    #[serde(skip_serializing)]
    access_token: AccessToken,
    #[serde(deserialize_with = "bearer", skip_serializing)]
    token_type: CoreTokenType,
    #[serde(default, skip_serializing)]
    refresh_token: Option<RefreshToken>,
    /// As it came: it is verified elsewhere, in one way for all issuers.
    #[serde(default, skip_serializing)]
    id_token: Option<Secret>,
}

/// Only one kind of token is known (RFC 6750).
fn bearer<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<CoreTokenType, D::Error> {
    let kind = String::deserialize(deserializer)?;
    match kind.eq_ignore_ascii_case("bearer") {
        true => Ok(CoreTokenType::Bearer),
        false => Err(serde::de::Error::custom("not a bearer token")),
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

impl OAuth2TokenResponse for Tokens {
    type TokenType = CoreTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &CoreTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        None
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

type LibraryIdToken = IdToken<
    EmptyAdditionalClaims,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

impl
    TokenResponse<
        EmptyAdditionalClaims,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    > for Tokens
{
    /// None for the library to look at: there is one way to verify a token.
    fn id_token(&self) -> Option<&LibraryIdToken> {
        None
    }
}

impl Tokens {
    pub(crate) fn raw_id_token(&self) -> Option<&Secret> {
        self.id_token.as_ref()
    }

    pub(crate) fn access(&self) -> &str {
        self.access_token.secret()
    }

    pub(crate) fn refresh(&self) -> Option<Secret> {
        let token = self.refresh_token.as_ref();
        token.map(|token| token.secret().as_str().into())
    }
}

type Connected = Client<
    EmptyAdditionalClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
    EndpointNotSet,
>;

/// What came of an exchange.
pub(crate) enum Exchanged {
    /// It gave tokens.
    Tokens(Tokens),
    /// What was exchanged is not good (`invalid_grant`).
    Refused,
}

/// The library's client for a connection.
fn client(config: &Config, authorization: &Url, token: &Url, now: i64) -> Result<Connected, Error> {
    let issuer = IssuerUrl::new(config.issuer().to_owned());
    let issuer = issuer.map_err(|_| Error::answer(WHAT, "the issuer is no address"))?;
    let id = ClientId::new(config.client_id.clone());
    let client = Client::new(id, issuer, JsonWebKeySet::new(Vec::new()))
        .set_auth_uri(AuthUrl::from_url(authorization.clone()))
        .set_token_uri(TokenUrl::from_url(token.clone()));
    let (how, secret) = match &config.client_auth {
        ClientAuth::Basic(secret) => (AuthType::BasicAuth, Some(secret.clone())),
        ClientAuth::Post(secret) => (AuthType::RequestBody, Some(secret.clone())),
        ClientAuth::None => (AuthType::RequestBody, None),
        ClientAuth::Apple(key) => {
            let secret = key.secret(&config.client_id, config.issuer(), now);
            let problem = "the private key does not sign";
            let secret = secret.ok_or_else(|| Error::answer(WHAT, problem))?;
            (AuthType::RequestBody, Some(secret))
        }
    };
    let client = client.set_auth_type(how);
    Ok(match secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
        None => client,
    })
}

/// Where the browser goes.
pub(crate) fn authorization_url(
    config: &Config,
    metadata: &Metadata,
    transaction: &Transaction,
    is_anew: bool,
) -> Result<Url, Error> {
    let client = client(
        config,
        &metadata.authorization,
        &metadata.token,
        transaction.since,
    )?;
    let (state, nonce) = (transaction.state.clone(), transaction.nonce.clone());
    let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
    let mut request = client.authorize_url(
        flow,
        move || CsrfToken::new(state.expose().to_owned()),
        move || Nonce::new(nonce.expose().to_owned()),
    );
    let redirect = RedirectUrl::from_url(transaction.redirect_uri.clone());
    request = request.set_redirect_uri(Cow::Owned(redirect));
    for scope in config.all_scopes() {
        request = request.add_scope(Scope::new(scope));
    }
    if config.preset.pkce {
        let verifier = PkceCodeVerifier::new(transaction.verifier.expose().to_owned());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        request = request.set_pkce_challenge(challenge);
    }
    if config.response_mode == ResponseMode::FormPost {
        request = request.add_extra_param("response_mode", config.response_mode.as_str());
    }
    if transaction.anew {
        request = request.add_extra_param("max_age", "0");
    }
    for (name, value) in config.parameters(is_anew) {
        request = request.add_extra_param(name, value);
    }
    let (url, _, _) = request.url();
    Ok(url)
}

/// Exchanges a code, where and with what it was asked for.
pub(crate) async fn exchange_code(
    outside: Outside<'_>,
    config: &Config,
    transaction: &Transaction,
    code: &Secret,
) -> Result<Exchanged, Error> {
    let token = &transaction.token_endpoint;
    let client = client(config, token, token, outside.context.now().as_second())?;
    let redirect = RedirectUrl::from_url(transaction.redirect_uri.clone());
    let mut request = client
        .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
        .set_redirect_uri(Cow::Owned(redirect));
    if config.preset.pkce {
        let verifier = transaction.verifier.expose().to_owned();
        request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier));
    }
    exchanged(request.request_async(&outside).await)
}

/// Exchanges a refresh token.
pub(crate) async fn exchange_refresh(
    outside: Outside<'_>,
    config: &Config,
    token: &Url,
    refresh: &Secret,
) -> Result<Exchanged, Error> {
    let client = client(config, token, token, outside.context.now().as_second())?;
    let refresh = RefreshToken::new(refresh.expose().to_owned());
    let request = client.exchange_refresh_token(&refresh);
    exchanged(request.request_async(&outside).await)
}

type Outcome =
    Result<Tokens, RequestTokenError<Error, StandardErrorResponse<CoreErrorResponseType>>>;

/// Nothing of an answer but its error code is told: the rest may hold tokens.
fn exchanged(outcome: Outcome) -> Result<Exchanged, Error> {
    match outcome {
        Ok(tokens) => Ok(Exchanged::Tokens(tokens)),
        Err(RequestTokenError::ServerResponse(refused)) => match refused.error() {
            CoreErrorResponseType::InvalidGrant => Ok(Exchanged::Refused),
            other => {
                let code = other.as_ref();
                let is_word = code.len() <= 64
                    && code
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                let code = if is_word { code } else { "unknown" }.to_owned();
                Err(Error::Connection { code })
            }
        },
        Err(RequestTokenError::Request(error)) => Err(error),
        Err(_) => Err(Error::answer(WHAT, "its answer holds no tokens")),
    }
}

/// Where the browser goes to sign out (OpenID Connect RP-Initiated Logout 1.0).
pub(crate) fn sign_out_url(config: &Config, metadata: &Metadata, back: &Url) -> Option<Url> {
    let end = EndSessionUrl::from_url(metadata.end_session.clone()?);
    let request = LogoutRequest::from(end)
        .set_client_id(ClientId::new(config.client_id.clone()))
        .set_post_logout_redirect_uri(PostLogoutRedirectUrl::from_url(back.clone()));
    Some(request.http_get_url())
}
