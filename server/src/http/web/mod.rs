//! The hosted pages: rendered on the server, usable without any script.
//!
//! Every page is a function from a `Visit` to an answer; `visit`
//! does what all of them need before they run: it finds the tenant that the path
//! names, the caller, the form's fields, and refuses posts that do not come from
//! our own pages. What goes wrong becomes a page in `problem` alone.
//!
//! Each address works at the root and under `/t/<tenant>/`; links stay where
//! the person is. The pages of a tenant that has a host of its own are at the root
//! there: `place` leads to it.
//!
//! | file | pages |
//! |---|---|
//! | `home`, `assets` | the start, style sheets and pictures |
//! | `setup` | the first administrator |
//! | `gate`, `steps`, `headings`, `destination`, `remember` | signing in, signing up, changing credentials: one step each |
//! | `callback` | coming back from a third party |
//! | `stay` | coming back without being asked |
//! | `enter` | into applications on other hosts |
//! | `link` | links from mails |
//! | `sign_out` | leaving |
//! | `account`, `security`, `connections`, `elsewhere` | one's own account |
//! | `console` | tenants and users, for administrators |

mod account;
mod assets;
mod callback;
mod connections;
mod console;
mod destination;
mod elsewhere;
mod enter;
mod forms;
mod frame;
mod gate;
mod headings;
mod hints;
mod home;
mod link;
mod place;
mod problem;
mod remember;
mod security;
mod setup;
mod sign_out;
mod stay;
mod steps;
mod visit;
mod words;

use axum::{
    Router,
    routing::{MethodRouter, get},
};

pub(crate) use enter::entry_address;
pub use problem::problem_page;
pub(crate) use visit::sign_in_address;

use self::visit::{change, open};
use crate::app::App;

/// The tenant that the path names, as a request extension under `/t/<tenant>/`.
#[derive(Debug, Clone)]
pub struct PathTenant {
    /// Its tag in cookie names.
    pub tag: String,
}

/// The start, `/`, where there is no application that has one.
pub fn home() -> Router<App> {
    Router::new().route("/", get(open(home::home)))
}

/// All pages but the home page.
pub fn router() -> Router<App> {
    let router = Router::new()
        .route("/assets/{*path}", get(assets::asset))
        .route("/sign-out/forget.css", get(sign_out::forget))
        .route(
            "/callback/{connection}",
            get(open(callback::arrive))
                .head(callback::look)
                .post(callback::arrive_by_form),
        )
        .route("/.gatelodge/accept", get(enter::accept))
        .route("/.gatelodge/sign-out", get(enter::leave))
        .route("/t/{tenant}", get(open(home::home)))
        .route("/t/{tenant}/", get(open(home::home)));
    ["", "/t/{tenant}"]
        .into_iter()
        .fold(router, |router, base| {
            pages().into_iter().fold(router, |router, (path, methods)| {
                router.route(&format!("{base}{path}"), methods)
            })
        })
}

fn pages() -> Vec<(&'static str, MethodRouter<App>)> {
    let mut pages = vec![
        ("/setup", get(open(setup::show)).post(open(setup::complete))),
        (
            "/sign-in",
            get(open(gate::show_sign_in)).post(open(gate::answer_sign_in)),
        ),
        (
            "/sign-up",
            get(open(gate::show_sign_up)).post(open(gate::answer_sign_up)),
        ),
        (
            "/forgot-password",
            get(open(gate::show_recover)).post(open(gate::answer_recover)),
        ),
        (
            "/link/{purpose}",
            get(open(link::show)).post(open(link::confirm)),
        ),
        ("/enter", get(open(enter::enter))),
        ("/account/email", get(open(gate::start_verification))),
        (
            "/sign-out",
            get(open(sign_out::ask)).post(change(sign_out::sign_out)),
        ),
        ("/account", get(open(account::show))),
        (
            "/account/sessions/end",
            axum::routing::post(change(account::end_session)),
        ),
        (
            "/account/sessions/end-others",
            axum::routing::post(change(account::end_other_sessions)),
        ),
        (
            "/account/devices/forget",
            axum::routing::post(change(account::forget_device)),
        ),
        (
            "/account/factors/{factor}/remove",
            get(open(gate::start_removal)),
        ),
        (
            "/account/sign-in-methods/{provider}",
            get(open(gate::start_enrolment)),
        ),
        (
            "/account/switch",
            axum::routing::post(change(elsewhere::switch)),
        ),
        (
            "/account/connections/{connection}/link",
            get(open(gate::start_linking)),
        ),
        (
            "/account/flow",
            get(open(gate::show_enrolment)).post(change(gate::answer_enrolment)),
        ),
    ];
    pages.extend(console::pages());
    pages
}
