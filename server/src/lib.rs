//! The Gatelodge identity server: HTTP, pages, configuration and command line.
//!
//! It is thin: it translates HTTP and command lines to calls of
//! `gatelodge-core` and back. The program `gatelodge` is [`cli::main`].
//!
//! # As a part of an application
//!
//! An axum application gets sign-in, accounts and the console of administrators by merging [`Gatelodge::router`] into its
//! own router, and protects its pages with [`extractors`]. Whatever the program does when it serves, it does through the
//! same door.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use gatelodge_core::access::action;
//! use gatelodge_server::{
//!     Gatelodge,
//!     config::{self, Overrides},
//!     extractors::{Permission, Require, SignedIn},
//! };
//! use tokio::net::TcpListener;
//!
//! /// Whoever administers the own tenant may see its users.
//! struct SeeUsers;
//!
//! impl Permission for SeeUsers {
//!     const ACTION: &'static str = action::USER_LIST;
//! }
//!
//! async fn hello(person: SignedIn) -> String {
//!     format!("Hello {}!", person.user().display_name)
//! }
//!
//! async fn staff(_: Require<SeeUsers>) -> &'static str {
//!     "for administrators"
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Defaults, file and environment as for the program: SQLite in `./gatelodge-data`, http://localhost:8080.
//!     let loaded = config::load(&Overrides::default(), std::env::vars_os())?;
//!     let listener = TcpListener::bind(loaded.config.server.listen).await?;
//!     let gatelodge = Gatelodge::open(&loaded, listener.local_addr()?).await?;
//!     if let Some(link) = gatelodge.set_up_link().await? {
//!         println!("set-up link: {}", link.expose());
//!     }
//!     let own = Router::new()
//!         .route("/", get(hello))
//!         .route("/staff", get(staff))
//!         .with_state(gatelodge.clone());
//!     let router = gatelodge.guard(own).merge(gatelodge.router());
//!     let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
//!     gatelodge.serve(listener, router, stop).await;
//!     Ok(())
//! }
//! ```
//!
//! * A stranger who opens `/staff` in a browser is sent to the sign-in page and comes back; a program gets 401.
//! * Routes that change something check the request's origin: all that stand behind [`Gatelodge::guard`], and all whose
//!   handler takes one of the extractors. [`extractors::OwnForm`] also checks the form's own proof.
//! * Logs are those of `tracing`, figures those of `metrics`: the application installs what collects them.
//! * What the pages and the command line do, the application can do: [`Gatelodge::platform`].
//!
//! `examples/embedded` in the repository is such an application, with tests.
//!
//! # What is meant for others
//!
//! [`Gatelodge`], [`extractors`], [`config`], [`cli::main`] and [`StartError`]. The modules that are left out of this
//! documentation are public for this repository's own tests and change without notice.

#[doc(hidden)]
pub mod app;
mod backup;
pub mod cli;
pub mod config;
mod demo;
pub mod extractors;
mod gatelodge;
#[doc(hidden)]
pub mod http;
mod listener;
mod logging;
mod loops;
mod messages;
mod outbound;
#[doc(hidden)]
pub mod pages;
mod plugins;
mod serve;

pub use self::{app::StartError, gatelodge::Gatelodge};
