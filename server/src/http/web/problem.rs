//! What goes wrong on a page, as a page. Which error gets which status is
//! decided in [`crate::http::problem`]; here are only the words.

use std::time::Duration;

use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse as _, Response},
};
use gatelodge_core::{Error, environment::later};

use super::words;
use crate::{
    app::App,
    http::problem::{Code, Problem},
    pages::{
        PageError,
        views::{Frame, Link, MessageKind, MessageView},
    },
};

/// What a page's handler fails with.
#[derive(Debug, Clone)]
pub(super) struct PageProblem {
    problem: Box<Problem>,
    /// A kind in place of the one that the status has.
    kind: Option<MessageKind>,
    /// A sentence in place of the usual one.
    text: Option<String>,
    /// Ways on: path within the tenant's, and key of the text.
    ways: Vec<(String, &'static str)>,
}

impl PageProblem {
    pub(super) fn is_unauthenticated(&self) -> bool {
        self.problem.code == Code::Unauthenticated
    }

    /// The same as something that lasted only for a while, with a way to begin anew.
    pub(super) fn expired(mut self, path: impl Into<String>) -> Self {
        self.ways.push((path.into(), "message.start_again"));
        self.gone()
    }

    /// The same as something that is over.
    pub(super) fn gone(mut self) -> Self {
        self.kind = Some(MessageKind::Gone);
        self
    }

    /// With a sentence of its own.
    pub(super) fn saying(mut self, text: String) -> Self {
        self.text = Some(text);
        self
    }

    /// As a page.
    pub(super) fn render(&self, app: &App, base: &str, request_id: Option<&str>) -> Response {
        let status = self.problem.code.status();
        let html = match self.view(app, base, request_id) {
            Ok(view) if self.problem.code != Code::InternalError => app.renderer().page(&view),
            Ok(_) => Ok(app.renderer().internal_error(request_id)),
            Err(error) => Err(error),
        };
        let html = html.unwrap_or_else(|error| {
            tracing::error!(%error, "a message page could not be rendered");
            app.renderer().internal_error(request_id)
        });
        let mut response = (status, Html(html)).into_response();
        if let Some(seconds) = self.problem.retry_after_seconds {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn view(
        &self,
        app: &App,
        base: &str,
        request_id: Option<&str>,
    ) -> Result<MessageView, PageError> {
        let code = self.problem.code;
        let kind = self.kind;
        let kind = kind.unwrap_or_else(|| MessageKind::from_status(code.status().as_u16()));
        let mut view = MessageView::new(kind);
        let renderer = app.renderer();
        view.frame = Frame {
            home: format!("{base}/"),
            ..Frame::default()
        };
        match own_words(code) {
            Some(key) => {
                view.title = Some(renderer.text(&format!("{key}.title"), &[])?);
                view.text = Some(renderer.text(&format!("{key}.text"), &[])?);
            }
            None => view.text = self.text.clone().or_else(|| said(&self.problem)),
        }
        if code == Code::Refused {
            view.title = Some(renderer.text("message.refused.title", &[])?);
        }
        view.code = Some(code.as_str().to_owned());
        view.request_id = request_id.map(str::to_owned);
        if let Some(seconds) = self.problem.retry_after_seconds {
            let now = app.platform().now();
            let then = later(now, Duration::from_secs(seconds));
            view.retry = Some(words::moment(renderer, now, then)?);
        }
        for (path, key) in &self.ways {
            let label = renderer.text(key, &[])?;
            view.links.push(Link::new(format!("{base}{path}"), label));
        }
        Ok(view)
    }
}

/// Codes whose page says something else than others of the same status.
fn own_words(code: Code) -> Option<&'static str> {
    match code {
        Code::CsrfFailed | Code::OriginMissing => Some("message.stale_form"),
        Code::OriginNotAllowed => Some("message.foreign_origin"),
        Code::DuplicateCookie => Some("message.duplicate_cookie"),
        Code::Misdirected => Some("message.misdirected"),
        Code::PayloadTooLarge => Some("message.too_large"),
        _ => None,
    }
}

/// What the problem itself says, where a person can use it.
fn said(problem: &Problem) -> Option<String> {
    match problem.code {
        Code::Refused | Code::AlreadyExists => problem.detail.as_deref().map(words::sentence),
        Code::ValidationFailed => {
            let said = problem.errors.iter().map(|e| words::sentence(&e.message));
            Some(said.collect::<Vec<_>>().join(" ")).filter(|said| !said.is_empty())
        }
        _ => None,
    }
}

impl From<Problem> for PageProblem {
    fn from(problem: Problem) -> Self {
        Self {
            problem: Box::new(problem),
            kind: None,
            text: None,
            ways: Vec::new(),
        }
    }
}

impl From<Error> for PageProblem {
    fn from(error: Error) -> Self {
        Problem::from(error).into()
    }
}

impl From<PageError> for PageProblem {
    fn from(error: PageError) -> Self {
        tracing::error!(%error, "a page could not be rendered");
        Problem::new(Code::InternalError).into()
    }
}

/// A problem as a page, for what goes wrong before a page's handler runs.
pub fn problem_page(app: &App, problem: &Problem, request_id: Option<&str>) -> Response {
    PageProblem::from(problem.clone()).render(app, "", request_id)
}
