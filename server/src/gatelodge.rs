//! [`Gatelodge`]: the whole of it as one value, for the program of this crate and
//! for applications that it is part of.

use std::net::SocketAddr;

use axum::{Router, middleware};
use gatelodge_core::{Platform, secret::Secret};
use tokio::{net::TcpListener, sync::watch};

use crate::{
    app::{App, Opening, StartError, open_platform},
    config::Loaded,
    http, listener, loops,
    pages::{PageOptions, Renderer},
};

/// An opened Gatelodge: its pages and API as a router, what guards an
/// application's own routes, and what has to go on beside them. Cheap to clone;
/// it serves as the state of a router, or as a part of one
/// ([`axum::extract::FromRef`]).
#[derive(Debug, Clone)]
pub struct Gatelodge(App);

impl Gatelodge {
    /// Opens the storage that the configuration names, and on SQLite makes what is missing: folder, database and
    /// master key. `listening` is the address that was really bound: where no origin is configured, links follow its port.
    ///
    /// # Errors
    /// Whatever keeps it from starting, in words for the person at the terminal.
    pub async fn open(loaded: &Loaded, listening: SocketAddr) -> Result<Self, StartError> {
        // What can be refused without touching any data is refused first.
        let renderer = renderer(loaded)?;
        let platform = open_platform(loaded, Opening::Serve(listening)).await?;
        Self::of(platform, renderer, loaded, listening)
    }

    /// The same on a platform that the application opened itself, with providers or a storage of its own and with the
    /// origin that the configuration says. Of the configuration, storage, keys, providers and what the platform was opened
    /// with then mean nothing.
    ///
    /// # Errors
    /// As [`Gatelodge::open`].
    pub fn with_platform(
        platform: Platform,
        loaded: &Loaded,
        listening: SocketAddr,
    ) -> Result<Self, StartError> {
        Self::of(platform, renderer(loaded)?, loaded, listening)
    }

    fn of(
        platform: Platform,
        renderer: Renderer,
        loaded: &Loaded,
        listening: SocketAddr,
    ) -> Result<Self, StartError> {
        let policy = loaded.origin_policy(listening)?;
        let config = loaded.config.clone();
        Ok(Self(App::new(platform, policy, renderer, config)))
    }

    /// Pages, JSON API, `/healthz` and `/readyz`, for an application to merge into its own router. They stand at the root
    /// (`/sign-in`, `/account`, `/console`, `/t/…`, `/assets/…`, `/api/v1/…`), since cookies and links do; nest nothing.
    /// `/` is left to the application; the pages' way home leads there.
    ///
    /// `own.merge(gatelodge.router())` answers unknown addresses with Gatelodge's page, unless `own` has a fallback.
    pub fn router(&self) -> Router {
        http::mounted(self.0.clone())
    }

    /// The same with a `/` that leads to the account or the sign-in page: a server of its own.
    pub fn standalone_router(&self) -> Router {
        http::router(self.0.clone())
    }

    /// Puts before an application's own routes what stands before Gatelodge's. Not for [`Gatelodge::router`], which has it.
    ///
    /// * A request for another host is refused, and so is a cookie that somebody planted beside Gatelodge's.
    /// * A change (any method but GET, HEAD and OPTIONS) that comes from a page of another origin is refused, and so is
    ///   one that carries cookies and does not say where it comes from.
    /// * The answer gets the headers that it does not set itself: a strict content security policy (no script, styles and
    ///   pictures from this origin), `Cache-Control: no-store`, `X-Request-Id`, and the like.
    /// * It counts in the metrics.
    ///
    /// The extractors check host and origin even without it.
    pub fn guard<S>(&self, routes: Router<S>) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let guard = http::guard::guard_application;
        routes.layer(middleware::from_fn_with_state(self.0.clone(), guard))
    }

    /// Tenants, users, sessions, decisions: everything that is not HTTP.
    pub fn platform(&self) -> &Platform {
        self.0.platform()
    }

    /// What links begin with, such as `https://id.example.org`.
    pub fn origin(&self) -> String {
        self.0.policy().links_base()
    }

    /// The path of the sign-in page that leads back to `return_to`, a path of the application.
    pub fn sign_in_path(&self, return_to: &str) -> String {
        http::web::sign_in_address("", Some(return_to))
    }

    /// The link by which the first administrator is made, until there is one. It is a secret that works for a day and
    /// replaces the links made before: tell it to the person at the terminal, not to a log.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn set_up_link(&self) -> Result<Option<Secret>, StartError> {
        let token = self.platform().set_up().prepare().await?;
        let link = token.map(|token| format!("{}/setup?token={}", self.origin(), token.expose()));
        Ok(link.map(Secret::new))
    }

    /// Serves `router` until `stop`, then lets open requests finish for as long as `server.shutdown_seconds` allows;
    /// meanwhile does what [`Gatelodge::run_while`] does.
    pub async fn serve(
        &self,
        listener: TcpListener,
        router: Router,
        stop: impl Future<Output = ()>,
    ) {
        let (stopping, stopped) = watch::channel(false);
        let grace = self.0.config().server.shutdown();
        let serving = tokio::spawn(listener::listen(listener, router, stopped, grace));
        self.run_while(async {
            stop.await;
            stopping.send_replace(true);
            serving.await.ok();
        })
        .await;
    }

    /// For an application with a listener of its own: does what has to be done beside requests, as long as `serving`
    /// lasts. It follows what other servers change, stores activity, sends messages, removes what has expired and makes the
    /// configured backups; without it each check of a session reads the storage. In the end it closes the storage: `serving` must
    /// have answered its last request.
    ///
    /// That listener has to tell each request its peer, [`axum::extract::ConnectInfo`] with a [`SocketAddr`], or limits
    /// and the audit log know no addresses.
    pub async fn run_while<T>(&self, serving: impl IntoFuture<Output = T>) -> T {
        let (stopping, stopped) = watch::channel(false);
        let mut loops = loops::start(self.platform(), self.0.config(), &stopped);
        let served = serving.into_future().await;
        stopping.send_replace(true);
        while loops.join_next().await.is_some() {}
        if let Err(error) = self.platform().flush_activity().await {
            tracing::warn!(error = ?error, "the last activity could not be stored");
        }
        self.platform().storage().close().await;
        served
    }

    pub(crate) fn app(&self) -> &App {
        &self.0
    }
}

fn renderer(loaded: &Loaded) -> Result<Renderer, StartError> {
    Ok(Renderer::new(page_options(loaded)?)?)
}

/// What a host changes about pages and messages.
pub(crate) fn page_options(loaded: &Loaded) -> Result<PageOptions, StartError> {
    let pages = &loaded.config.pages;
    let texts = match &pages.texts_file {
        None => Default::default(),
        Some(path) => {
            let what = format!("the texts file `{}` cannot be read", path.display());
            let text = std::fs::read_to_string(path).map_err(StartError::io(what))?;
            toml::from_str(&text).map_err(|error| {
                loaded.error(
                    "pages.texts_file",
                    format!("must hold `key = \"text\"` lines: {error}"),
                )
            })?
        }
    };
    Ok(PageOptions {
        template_dir: pages.template_dir.clone(),
        texts,
        brand_name: pages.brand_name.clone(),
    })
}
