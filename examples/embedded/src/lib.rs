//! The Boathouse, an application of an axum author: a club keeps its log book, and only its members may read and write it.
//! Signing in, accounts and the console of administrators are Gatelodge's, in the same process and at the same origin.
//!
//! ```sh
//! cargo run -p gatelodge-example-embedded
//! ```
//!
//! prints a set-up link: open it, name the club and yourself. The data lies in `./gatelodge-data`. The configuration is
//! Gatelodge's own: `GATELODGE_LISTEN=127.0.0.1:3000`, or a file that `GATELODGE_CONFIG` names.
//!
//! What there is to see, each in a few lines:
//!
//! | where | what |
//! |---|---|
//! | `main.rs` | opening, the set-up link, serving, a clean stop |
//! | [`router`] | the application's routes beside Gatelodge's, and the guard before them |
//! | `pages.rs` | a page for everybody, for members, for administrators; a form; JSON for programs |
//! | `tests` | how such an application is tested, without a browser or a port |

mod pages;

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    extract::FromRef,
    routing::{get, post},
};
use gatelodge_core::{
    access::action,
    model::{TenantId, UserId},
};
use gatelodge_server::{Gatelodge, extractors::Permission};
use minijinja::Environment;
use serde::Serialize;

/// What every request sees. The log book is kept in memory; a real application has a database of its own for it.
#[derive(Clone)]
struct Boathouse {
    gatelodge: Gatelodge,
    templates: Arc<Environment<'static>>,
    log: Arc<Mutex<Vec<Entry>>>,
}

/// A line of the log book. It names people by tenant and id: names can change, and belong to Gatelodge.
#[derive(Debug, Clone, Serialize)]
struct Entry {
    #[serde(skip)]
    tenant: TenantId,
    author: UserId,
    text: String,
}

/// The extractors find Gatelodge in the application's state.
impl FromRef<Boathouse> for Gatelodge {
    fn from_ref(boathouse: &Boathouse) -> Self {
        boathouse.gatelodge.clone()
    }
}

/// May see who has a key: whoever may list the users of the own club in Gatelodge's console.
struct SeeKeys;

impl Permission for SeeKeys {
    const ACTION: &'static str = action::USER_LIST;
}

/// The whole application: its own routes with the guard before them, and Gatelodge's.
///
/// # Errors
/// A template with a mistake.
pub fn router(gatelodge: &Gatelodge) -> Result<Router, minijinja::Error> {
    let boathouse = Boathouse {
        gatelodge: gatelodge.clone(),
        templates: Arc::new(pages::templates()?),
        log: Arc::default(),
    };
    let own = Router::new()
        .route("/", get(pages::welcome))
        .route("/bell", post(pages::ring_the_bell))
        .route("/log", get(pages::log).post(pages::write))
        .route("/log.json", get(pages::log_as_json))
        .route("/keys", get(pages::keys))
        .with_state(boathouse);
    Ok(gatelodge.guard(own).merge(gatelodge.router()))
}

impl Boathouse {
    /// The lines of one club.
    fn entries(&self, tenant: TenantId) -> Vec<Entry> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let own = log.iter().filter(|entry| entry.tenant == tenant);
        own.cloned().collect()
    }

    fn write(&self, entry: Entry) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(entry);
    }
}
