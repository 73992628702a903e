//! What the third party says of itself (OpenID Connect Discovery 1.0).

use gatelodge_core::provider::Reach;
use openidconnect::{
    AdditionalProviderMetadata, ProviderMetadata,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType,
        CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
        CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::{
    json,
    outside::{forbidden, may_go},
};
use crate::Error;

const WHAT: &str = "metadata";

/// What the library has no names for.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Beyond {
    /// RFC 9207 section 3.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    /// RFC 8414 section 2.
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    /// OpenID Connect RP-Initiated Logout 1.0 section 2.1.
    #[serde(default)]
    end_session_endpoint: Option<String>,
}

impl AdditionalProviderMetadata for Beyond {}

type Published = ProviderMetadata<
    Beyond,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What counts of it, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(crate) authorization: Url,
    pub(crate) token: Url,
    pub(crate) keys: Url,
    pub(crate) userinfo: Option<Url>,
    pub(crate) end_session: Option<Url>,
    /// Whether the callback names the issuer (RFC 9207).
    pub(crate) names_issuer: bool,
    /// The methods of PKCE, where it says.
    pub(crate) challenges: Option<Vec<String>>,
    /// The response modes, where it says.
    pub(crate) response_modes: Option<Vec<String>>,
    /// How clients show who they are, where it says.
    pub(crate) client_auth: Option<Vec<String>>,
}

impl Metadata {
    /// Where the metadata of an issuer are (section 4).
    pub(crate) fn address(issuer: &str) -> Option<Url> {
        let issuer = issuer.trim_end_matches('/');
        format!("{issuer}/.well-known/openid-configuration")
            .parse()
            .ok()
    }

    /// Reads and checks them.
    ///
    /// * `issuer` is compared byte for byte (section 4.3).
    /// * Every address is one that may be asked.
    pub(crate) fn read(
        object: Map<String, Value>,
        issuer: &str,
        reach: Reach,
    ) -> Result<Self, Error> {
        let published: Published =
            json::read(object).ok_or_else(|| Error::answer(WHAT, "something in it is missing"))?;
        if published.issuer().as_str() != issuer {
            let said: String = published.issuer().as_str().chars().take(200).collect();
            let problem =
                format!("the issuer in it is {said:?}, and not `{issuer}`, byte for byte");
            return Err(Error::answer(WHAT, problem));
        }
        let token = published.token_endpoint();
        let token = token.ok_or_else(|| Error::answer(WHAT, "it names no `token_endpoint`"))?;
        let beyond = published.additional_metadata();
        let end_session = beyond.end_session_endpoint.as_deref();
        let end_session = end_session.map(str::parse).transpose();
        let metadata = Self {
            issuer: issuer.to_owned(),
            authorization: published.authorization_endpoint().url().clone(),
            token: token.url().clone(),
            keys: published.jwks_uri().url().clone(),
            userinfo: published.userinfo_endpoint().map(|url| url.url().clone()),
            end_session: end_session
                .map_err(|_| Error::answer(WHAT, "`end_session_endpoint` is no address"))?,
            names_issuer: beyond.authorization_response_iss_parameter_supported,
            challenges: beyond.code_challenge_methods_supported.clone(),
            response_modes: published.response_modes_supported().map(|all| names(all)),
            client_auth: published
                .token_endpoint_auth_methods_supported()
                .map(|all| names(all)),
        };
        metadata.check(reach)?;
        Ok(metadata)
    }

    fn check(&self, reach: Reach) -> Result<(), Error> {
        let endpoints = [
            ("authorization_endpoint", Some(&self.authorization)),
            ("token_endpoint", Some(&self.token)),
            ("jwks_uri", Some(&self.keys)),
            ("userinfo_endpoint", self.userinfo.as_ref()),
            ("end_session_endpoint", self.end_session.as_ref()),
        ];
        let wrong = |(_, url): &(&str, Option<&Url>)| url.is_some_and(|url| !may_go(reach, url));
        match endpoints.into_iter().find(wrong) {
            Some((name, _)) => {
                let problem = format!("`{name}`: {}", forbidden(reach));
                Err(Error::answer(WHAT, problem))
            }
            None => Ok(()),
        }
    }
}

/// The words that stand for the library's values.
fn names<T: Serialize>(all: &[T]) -> Vec<String> {
    let name = |value: &T| match serde_json::to_value(value) {
        Ok(Value::String(name)) => Some(name),
        _ => None,
    };
    all.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shaped as what the services publish, and shortened.
    const PUBLISHED: [(&str, &str); 3] = [
        (
            "https://accounts.google.com",
            r#"{"issuer": "https://accounts.google.com",
            "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
            "device_authorization_endpoint": "https://oauth2.googleapis.com/device/code",
            "token_endpoint": "https://oauth2.googleapis.com/token",
            "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
            "revocation_endpoint": "https://oauth2.googleapis.com/revoke",
            "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
            "response_types_supported": ["code", "token", "id_token", "code token",
              "code id_token", "token id_token", "code token id_token", "none"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "claims_supported": ["aud", "email", "email_verified", "exp", "iss", "sub"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "authorization_response_iss_parameter_supported": true,
            "grant_types_supported": ["authorization_code", "refresh_token",
              "urn:ietf:params:oauth:grant-type:device_code"]}"#,
        ),
        (
            "https://login.microsoftonline.com/{tenantid}/v2.0",
            r#"{"token_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported":
              ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": "https://login.microsoftonline.com/common/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
            "request_uri_parameter_supported": false,
            "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
            "authorization_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
            "http_logout_supported": true, "frontchannel_logout_supported": true,
            "end_session_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/logout",
            "claims_supported": ["sub", "iss", "aud", "exp", "nonce", "tid", "email"],
            "tenant_region_scope": null, "cloud_instance_name": "microsoftonline.com"}"#,
        ),
        (
            "https://appleid.apple.com",
            r#"{"issuer": "https://appleid.apple.com",
            "authorization_endpoint": "https://appleid.apple.com/auth/authorize",
            "token_endpoint": "https://appleid.apple.com/auth/token",
            "revocation_endpoint": "https://appleid.apple.com/auth/revoke",
            "jwks_uri": "https://appleid.apple.com/auth/keys",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "name"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "claims_supported": ["aud", "email", "email_verified", "exp", "iat", "nonce"]}"#,
        ),
    ];

    fn read(issuer: &str, text: &str) -> Result<Metadata, Error> {
        let object = json::object(text.as_bytes()).unwrap();
        Metadata::read(object, issuer, Reach::Public)
    }

    #[test]
    fn what_services_publish_is_read() {
        for (issuer, text) in PUBLISHED {
            let metadata = read(issuer, text).unwrap();
            assert_eq!(metadata.issuer, issuer);
            assert!(
                metadata
                    .response_modes
                    .unwrap()
                    .contains(&"form_post".to_owned())
            );
            assert!(
                metadata
                    .client_auth
                    .unwrap()
                    .contains(&"client_secret_post".to_owned())
            );
        }
        let [(issuer, google), ..] = PUBLISHED;
        let google = read(issuer, google).unwrap();
        assert!(google.names_issuer && google.challenges.unwrap().contains(&"S256".to_owned()));
    }

    #[test]
    fn metadata_are_where_the_standard_says() {
        for (issuer, address) in [
            (
                "https://a.example",
                "https://a.example/.well-known/openid-configuration",
            ),
            (
                "https://a.example/",
                "https://a.example/.well-known/openid-configuration",
            ),
            (
                "https://a.example/b/c",
                "https://a.example/b/c/.well-known/openid-configuration",
            ),
        ] {
            assert_eq!(Metadata::address(issuer).unwrap().as_str(), address);
        }
    }
}
