//! Single pages: first set-up, results and refusals, signed out.

use serde::Serialize;

use super::{FormCard, Frame, Link, TenantLabel, Time};
use crate::pages::Page;

/// First start: `setup.html`.
#[derive(Debug, Clone, Serialize)]
pub struct SetupView {
    /// Surroundings.
    pub frame: Frame,
    /// Organisation, user name, password. Its title is not shown; the page has its own.
    pub form: FormCard,
}

impl Page for SetupView {
    const TEMPLATE: &'static str = "setup.html";
}

/// After signing out: `signed-out.html`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SignedOutView {
    /// Surroundings.
    pub frame: Frame,
    /// Where the person was signed in.
    pub tenant: Option<TenantLabel>,
    /// A sentence in place of the usual one.
    pub text: Option<String>,
    /// Address to sign in again.
    pub sign_in: Option<String>,
    /// The way to sign out at a third party that let the person in, and still knows them.
    pub elsewhere: Option<Link>,
}

impl Page for SignedOutView {
    const TEMPLATE: &'static str = "signed-out.html";
}

/// What a message page is about; each has a title and a sentence in the text table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Something succeeded.
    Done,
    /// 400
    BadRequest,
    /// 403
    Forbidden,
    /// 404
    NotFound,
    /// 405
    MethodNotAllowed,
    /// 409 and 412
    Conflict,
    /// 410, an expired flow or link
    Gone,
    /// 429
    TooManyRequests,
    /// 500
    Internal,
    /// 503
    Unavailable,
}

impl MessageKind {
    /// The kind for an HTTP status.
    #[must_use]
    pub fn from_status(status: u16) -> Self {
        match status {
            200..=399 => Self::Done,
            401 | 403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            409 | 412 => Self::Conflict,
            410 => Self::Gone,
            429 => Self::TooManyRequests,
            503 => Self::Unavailable,
            400..=499 => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}

/// A result or a refusal: `message.html`.
#[derive(Debug, Clone, Serialize)]
pub struct MessageView {
    /// Surroundings.
    pub frame: Frame,
    /// What it is about.
    pub kind: MessageKind,
    /// Heading in place of the kind's own.
    pub title: Option<String>,
    /// Sentence in place of the kind's own.
    pub text: Option<String>,
    /// Stable code of the problem.
    pub code: Option<String>,
    /// For the log.
    pub request_id: Option<String>,
    /// When to try again.
    pub retry: Option<Time>,
    /// Ways on; none: to the start page.
    pub links: Vec<Link>,
}

impl MessageView {
    /// The usual words for `kind`.
    #[must_use]
    pub fn new(kind: MessageKind) -> Self {
        Self {
            frame: Frame::default(),
            kind,
            title: None,
            text: None,
            code: None,
            request_id: None,
            retry: None,
            links: Vec::new(),
        }
    }
}

impl Page for MessageView {
    const TEMPLATE: &'static str = "message.html";
}
