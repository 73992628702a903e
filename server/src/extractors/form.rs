use std::borrow::Cow;

use axum::{
    Form,
    body::{Body, Bytes},
    extract::{FromRef, FromRequest, Request},
    http::{StatusCode, header},
};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::{Refusal, signed_in::requester};
use crate::{
    Gatelodge,
    http::{
        caller::Requester,
        csrf::{CSRF, is_csrf_of},
        problem::{Code, Problem},
    },
};

const FORM: &str = "application/x-www-form-urlencoded";

/// The fields of a form that was on a page of this origin and made for this session: its hidden field `csrf` holds what
/// [`SignedIn::csrf`](super::SignedIn::csrf) gave. The handler takes [`SignedIn`](super::SignedIn) or
/// [`Require`](super::Require) beside it to know whose it is; this one comes last.
///
/// What cannot be read as `T` is refused with 400, an old or foreign form with 403.
#[derive(Debug, Clone)]
pub struct OwnForm<T>(pub T);

impl<T, S> FromRequest<S> for OwnForm<T>
where
    T: DeserializeOwned,
    Gatelodge: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let gatelodge = Gatelodge::from_ref(state);
        let app = gatelodge.app();
        let (mut parts, body) = request.into_parts();
        let fields = async {
            let requester = requester(&mut parts, app).await?;
            let request = Request::from_parts(parts.clone(), body);
            read(&requester, request).await
        };
        match fields.await {
            Ok(fields) => Ok(Self(fields)),
            Err(problem) => Err(Refusal::of(problem, app, &parts)),
        }
    }
}

async fn read<T: DeserializeOwned>(requester: &Requester, request: Request) -> Result<T, Problem> {
    let Some(token) = &requester.token else {
        return Err(Problem::new(Code::Unauthenticated));
    };
    if !requester.from_our_pages {
        return Err(Problem::new(Code::OriginMissing));
    }
    if !is_form(&request) {
        return Err(Problem::new(Code::UnsupportedMediaType).detail("send a form"));
    }
    let body = Bytes::from_request(request, &()).await;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::PayloadTooLarge),
        _ => Problem::new(Code::InvalidRequest),
    })?;
    // The proof is ours, everything else the application's.
    let (proofs, fields): (Vec<_>, Vec<_>) =
        form_urlencoded::parse(&body).partition(|(name, _)| name == CSRF);
    match proofs.as_slice() {
        [(_, proof)] if is_csrf_of(token, proof) => decode(fields).await,
        _ => Err(Problem::new(Code::CsrfFailed)),
    }
}

fn is_form(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case(FORM)
}

async fn decode<T: DeserializeOwned>(
    fields: Vec<(Cow<'_, str>, Cow<'_, str>)>,
) -> Result<T, Problem> {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = Request::post("/")
        .header(header::CONTENT_TYPE, FORM)
        .body(Body::from(body))
        .map_err(|_| Problem::new(Code::InternalError))?;
    // What the decoder says may hold a value, and one may be a secret.
    let Form(fields) = Form::from_request(request, &()).await.map_err(|_| {
        Problem::new(Code::InvalidRequest).detail("the form's fields are not the expected ones")
    })?;
    Ok(fields)
}
