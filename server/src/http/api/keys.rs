use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    http::problem::{Problem, ProblemBody},
};

/// Public keys (RFC 7517 section 5).
#[derive(Serialize, ToSchema)]
pub struct KeysAnswer {
    /// The keys.
    keys: Vec<KeyJson>,
}

/// A public key (RFC 7517 section 4, RFC 8037).
#[derive(Serialize, ToSchema)]
pub struct KeyJson {
    /// `OKP` or `EC`.
    kty: String,
    /// `Ed25519` or `P-256`.
    crv: String,
    /// The public key, or its first coordinate.
    x: String,
    /// The second coordinate, of `EC` keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    /// Its id, which tokens name.
    kid: String,
    /// `sig`.
    #[serde(rename = "use")]
    usage: &'static str,
    /// `EdDSA` or `ES256`.
    alg: &'static str,
}

/// The public keys by which applications verify access tokens.
///
/// Those of now, the next one an hour before it signs, and past ones for as long
/// as tokens of theirs may be valid. Keep them for at most as long as
/// `Cache-Control` says, and fetch them again, at most once a minute, when a
/// token names a key that is not among them.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", operation_id = "read_keys", tag = "tokens",
    responses(
        (status = 200, body = KeysAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub async fn read_keys(State(app): State<App>) -> Result<Response, Problem> {
    let published = app.platform().tokens().published_keys().await?;
    let keys = published.into_iter().map(|key| KeyJson {
        kty: key.kty.to_owned(),
        crv: key.crv.to_owned(),
        x: key.x,
        y: key.y,
        kid: key.kid,
        usage: "sig",
        alg: key.algorithm.as_str(),
    });
    let answer = KeysAnswer {
        keys: keys.collect(),
    };
    let headers = [
        (header::CACHE_CONTROL, "public, max-age=300"),
        // They are for whoever verifies a token, pages included.
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    Ok((headers, Json(answer)).into_response())
}
