//! Reading requests: what cannot be read is a problem that says what was wrong,
//! and unknown fields are refused.

use std::{fmt, marker::PhantomData};

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::JsonRejection},
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_core::{Platform, seal::SealContext, storage::Page};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use uuid::Uuid;

use super::problem::{Code, Problem};

/// A JSON body.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T, S> FromRequest<S> for Body<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<Object<T>>::from_request(request, state).await {
            Ok(Json(Object(body))) => Ok(Self(body)),
            Err(rejection) => Err(body_problem(&rejection)),
        }
    }
}

/// A JSON object. The decoder would take an array for it too, and set fields by
/// their place.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Self)
    }
}

/// Reads an object and nothing else, for a field that holds one.
///
/// # Errors
/// What the deserializer says.
pub fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct OfMap<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for OfMap<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(OfMap(PhantomData))
}

fn body_problem(rejection: &JsonRejection) -> Problem {
    match rejection {
        JsonRejection::JsonDataError(error) => {
            Problem::new(Code::InvalidRequest).detail(described(&error.body_text()))
        }
        JsonRejection::JsonSyntaxError(_) => {
            Problem::new(Code::InvalidRequest).detail("the body is not well-formed JSON")
        }
        JsonRejection::MissingJsonContentType(_) => {
            Problem::new(Code::UnsupportedMediaType).detail("send `Content-Type: application/json`")
        }
        other if other.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(Code::PayloadTooLarge)
        }
        _ => Problem::new(Code::InvalidRequest).detail("the body cannot be read"),
    }
}

/// What serde says of a wrong body: which field and what was expected. Values
/// are left out, since one may be a secret.
fn described(text: &str) -> String {
    let text = text
        .strip_prefix("Failed to deserialize the JSON body into the target type: ")
        .unwrap_or(text);
    for (start, end) in [
        ("invalid type: ", ", expected "),
        ("invalid value: ", ", expected "),
    ] {
        if let Some((before, rest)) = text.split_once(start)
            && let Some((_, expected)) = rest.rsplit_once(end)
        {
            return format!("{before}wrong type, expected {expected}");
        }
    }
    text.chars().take(300).collect()
}

/// Parameters of the address; an unknown one is refused where the type says so.
#[derive(Debug)]
pub struct Parameters<T>(pub T);

impl<T, S> FromRequestParts<S> for Parameters<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => {
                let text = rejection.body_text();
                let text = text
                    .strip_prefix("Failed to deserialize query string: ")
                    .unwrap_or(&text);
                Err(Problem::new(Code::InvalidRequest)
                    .detail(text.chars().take(300).collect::<String>()))
            }
        }
    }
}

/// The variable parts of the path. What cannot be an id is not found.
#[derive(Debug)]
pub struct Place<T>(pub T);

impl<T, S> FromRequestParts<S> for Place<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(place)) => Ok(Self(place)),
            Err(_) => Err(Problem::new(Code::NotFound)),
        }
    }
}

/// The version in `If-Match` (RFC 9110 section 13.1.1), if one is given.
#[derive(Debug, Clone, Copy)]
pub struct IfMatch(pub Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let wrong = || {
            Problem::new(Code::InvalidRequest)
                .detail("`If-Match` takes one `ETag` as it was received, such as `\"3\"`")
        };
        let mut values = parts.headers.get_all(header::IF_MATCH).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        if values.next().is_some() {
            return Err(wrong());
        }
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let version = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .and_then(|text| text.parse().ok())
            // Only as it was given out: no sign, no leading zero.
            .filter(|version| etag(*version).1.as_bytes() == text.as_bytes());
        version.map(|version| Self(Some(version))).ok_or_else(wrong)
    }
}

/// The entity tag of a version.
pub fn etag(version: i64) -> (header::HeaderName, HeaderValue) {
    let value = HeaderValue::from_str(&format!("\"{version}\""));
    (
        header::ETAG,
        value.unwrap_or(HeaderValue::from_static("\"0\"")),
    )
}

/// Puts an entity tag on an answer.
pub fn tagged(version: i64) -> HeaderMap {
    HeaderMap::from_iter([etag(version)])
}

/// `?limit=&cursor=` of a list.
#[derive(Debug, Default, Clone, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// At most this many, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where the piece before ended.
    pub cursor: Option<String>,
}

impl Paging {
    /// The page that is asked for.
    ///
    /// # Errors
    /// [`Code::InvalidRequest`] for a limit out of range or a cursor that this
    /// list did not give out.
    pub async fn page<Id>(
        &self,
        platform: &Platform,
        list: &str,
        id: impl Fn(Uuid) -> Id,
    ) -> Result<Page<Id>, Problem> {
        let limit = self.limit.unwrap_or(50);
        if !(1..=200).contains(&limit) {
            return Err(Problem::new(Code::InvalidRequest).detail("`limit` is 1 to 200"));
        }
        let after = match &self.cursor {
            None => None,
            Some(cursor) => {
                let opened = open_cursor(platform, list, cursor).await;
                Some(id(opened.ok_or_else(|| {
                    Problem::new(Code::InvalidRequest)
                        .detail("`cursor` is not one that this list gave")
                })?))
            }
        };
        Ok(Page { after, limit })
    }
}

const CURSOR: &str = "cursor";

/// Where a list goes on: sealed, so that nobody can make one up. `list` names
/// the kind of list and the tenant or user whose it is.
///
/// # Errors
/// What the key ring says.
pub fn cursor(platform: &Platform, list: &str, id: Uuid) -> Result<String, Problem> {
    let place: &[&[u8]] = &[list.as_bytes()];
    let context = SealContext {
        purpose: CURSOR,
        place,
    };
    let sealed = platform.keys().seal(&context, id.as_bytes())?;
    Ok(URL_SAFE_NO_PAD.encode(sealed))
}

async fn open_cursor(platform: &Platform, list: &str, cursor: &str) -> Option<Uuid> {
    if cursor.len() > 200 {
        return None;
    }
    let place: &[&[u8]] = &[list.as_bytes()];
    let context = SealContext {
        purpose: CURSOR,
        place,
    };
    let sealed = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let plain = platform.open_sealed(&context, &sealed).await.ok()?;
    Uuid::from_slice(&plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_body_is_described_without_its_values() {
        let text = "Failed to deserialize the JSON body into the target type: password: invalid type: string \"hunter2\", expected a boolean at line 1 column 22";
        let said = described(text);
        assert!(!said.contains("hunter2"), "{said}");
        assert!(
            said.contains("password") && said.contains("a boolean"),
            "{said}"
        );
    }
}
