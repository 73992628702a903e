//! The pages. The type of a handler's argument says who may come in.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};
use gatelodge_core::storage::Page;
use gatelodge_server::extractors::{OwnForm, Require, SignedIn};
use minijinja::{Environment, context};
use serde::Deserialize;

use crate::{Boathouse, Entry, SeeKeys};

const LONGEST: usize = 500;

/// Everything that goes into a template is escaped, since its name ends in `.html`.
pub(crate) fn templates() -> Result<Environment<'static>, minijinja::Error> {
    let mut templates = Environment::new();
    templates.add_template("frame.html", include_str!("../templates/frame.html"))?;
    templates.add_template("welcome.html", include_str!("../templates/welcome.html"))?;
    templates.add_template("log.html", include_str!("../templates/log.html"))?;
    templates.add_template("keys.html", include_str!("../templates/keys.html"))?;
    Ok(templates)
}

/// For everybody; who is signed in is greeted.
pub(crate) async fn welcome(
    State(boathouse): State<Boathouse>,
    person: Option<SignedIn>,
) -> Result<Html<String>, Failure> {
    let person = person.as_ref();
    let sign_in = boathouse.gatelodge.sign_in_path("/log");
    render(&boathouse, "welcome.html", person, context! { sign_in })
}

/// For everybody, and changes something: the guard sees to it that it was pressed on a page of ours.
pub(crate) async fn ring_the_bell() -> Redirect {
    tracing::info!("somebody rings the bell");
    Redirect::to("/")
}

/// For members: a browser is sent to the sign-in page and comes back here.
pub(crate) async fn log(
    State(boathouse): State<Boathouse>,
    person: SignedIn,
) -> Result<Html<String>, Failure> {
    let entries = boathouse.entries(person.tenant().id).into_iter();
    let texts: Vec<String> = entries.map(|entry| entry.text).collect();
    let content = context! { texts, longest => LONGEST };
    render(&boathouse, "log.html", Some(&person), content)
}

/// What members write.
#[derive(Debug, Deserialize)]
pub(crate) struct NewEntry {
    text: String,
}

/// Takes a form of the page above, and none that somebody made elsewhere.
pub(crate) async fn write(
    State(boathouse): State<Boathouse>,
    person: SignedIn,
    OwnForm(new): OwnForm<NewEntry>,
) -> Redirect {
    let text: String = new.text.trim().chars().take(LONGEST).collect();
    if !text.is_empty() {
        boathouse.write(Entry {
            tenant: person.tenant().id,
            author: person.user().id,
            text,
        });
    }
    Redirect::to("/log")
}

/// The same for programs, which send `Authorization: Bearer`; without it they get 401 as problem details.
pub(crate) async fn log_as_json(
    State(boathouse): State<Boathouse>,
    person: SignedIn,
) -> Json<Vec<Entry>> {
    Json(boathouse.entries(person.tenant().id))
}

/// For those with the permission; everybody else gets 403. What the page shows comes from a service of Gatelodge, which
/// asks the decision engine once more.
pub(crate) async fn keys(
    State(boathouse): State<Boathouse>,
    person: Require<SeeKeys>,
) -> Result<Html<String>, Failure> {
    let users = boathouse.gatelodge.platform().users();
    let tenant = person.tenant().id;
    let listed = users.list(person.caller(), tenant, None, Page::first(100));
    let names: Vec<String> = listed
        .await?
        .items
        .iter()
        .map(|user| user.display_name.to_string())
        .collect();
    render(&boathouse, "keys.html", Some(&person), context! { names })
}

fn render(
    boathouse: &Boathouse,
    template: &str,
    person: Option<&SignedIn>,
    content: minijinja::Value,
) -> Result<Html<String>, Failure> {
    let viewer = person.map(|person| {
        context! {
            name => person.user().display_name.to_string(),
            club => person.tenant().display_name.to_string(),
            csrf => person.csrf(),
        }
    });
    let template = boathouse.templates.get_template(template)?;
    Ok(Html(template.render(context! { viewer, ..content })?))
}

/// A failure of ours: its text is for the log.
pub(crate) struct Failure(Box<dyn std::error::Error + Send + Sync>);

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        tracing::error!(error = %self.0, "a page failed");
        (StatusCode::INTERNAL_SERVER_ERROR, "something broke here").into_response()
    }
}
