//! Running the server: from a configuration to a listener, and to a clean stop.

use std::{io::Write as _, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use gatelodge_core::Platform;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{Signal, SignalKind, signal},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tower::ServiceExt as _;

use crate::{
    app::{App, Opening, StartError, open_platform},
    backup::schedule::Schedule,
    config::{self, Loaded, Overrides},
    demo::{self, Demo},
    http, logging,
    pages::{PageOptions, Renderer},
};

/// Connections that are open at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 10_000;
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What `serve` is told.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// What the command line says about the configuration.
    pub overrides: Overrides,
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, in words for the person at the terminal.
pub async fn serve(options: ServeOptions) -> Result<(), StartError> {
    let mut overrides = options.overrides;
    // Kept to the end: the folder goes when this does.
    let folder = overrides.demo.then(demo::folder).transpose()?;
    if let Some(folder) = &folder {
        overrides.data_dir = Some(folder.path().to_owned());
    }
    let loaded = config::load(&overrides, std::env::vars_os())?;
    logging::start(&loaded)?;
    for warning in loaded.warnings() {
        tracing::warn!("{warning}");
    }
    // From here on a signal is a stop, not an end.
    let mut signals = Signals::new()?;
    // What can be refused without touching any data is refused first.
    let renderer = Renderer::new(page_options(&loaded)?)?;
    let listener = bind(loaded.config.server.listen, "server.listen").await?;
    let address = listener
        .local_addr()
        .map_err(StartError::io("the listener has no address"))?;
    let metrics = metrics(&loaded).await?;
    let platform = open_platform(&loaded, Opening::Serve(address)).await?;
    let policy = loaded.origin_policy(address)?;
    let base = policy.links_base();
    let sample = match &folder {
        Some(_) => Some(demo::fill(&platform).await?),
        None => None,
    };
    let app = App::new(platform.clone(), policy, renderer, loaded.config.clone());
    announce(&platform, &base, sample.as_ref()).await?;

    let (stop, stopped) = watch::channel(false);
    let mut loops = loops(&platform, &stopped);
    // Sample data is not worth it.
    if let (None, Some(schedule)) = (&folder, Schedule::of(&loaded.config)) {
        loops.spawn(back_up(schedule, platform.clone(), stopped.clone()));
    }
    if let Some((listener, handle)) = metrics {
        let router = http::health::metrics_router(handle);
        loops.spawn(listen(listener, router, stopped.clone(), Duration::ZERO));
    }
    let grace = Duration::from_secs(loaded.config.server.shutdown_seconds.into());
    let serving = tokio::spawn(listen(listener, http::router(app), stopped, grace));
    tracing::info!(address = %address, origin = %base, "serving");
    signals.stop().await;
    tracing::info!("stopping");
    stop.send_replace(true);
    serving.await.ok();
    while loops.join_next().await.is_some() {}
    if let Err(error) = platform.flush_activity().await {
        tracing::warn!(error = ?error, "the last activity could not be stored");
    }
    platform.storage().close().await;
    tracing::info!("stopped");
    Ok(())
}

async fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(StartError::io(format!(
            "cannot listen on `{address}` (`{key}`, or `--listen`)"
        )))
}

async fn metrics(loaded: &Loaded) -> Result<Option<(TcpListener, PrometheusHandle)>, StartError> {
    if !loaded.config.metrics.enabled {
        return Ok(None);
    }
    let listener = bind(loaded.config.metrics.listen, "metrics.listen").await?;
    let handle = PrometheusBuilder::new()
        .install_recorder()
        .map_err(|error| StartError::Other(format!("figures cannot be collected: {error}")))?;
    Ok(Some((listener, handle)))
}

fn page_options(loaded: &Loaded) -> Result<PageOptions, StartError> {
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

/// Tells the person at the terminal where to go.
async fn announce(
    platform: &Platform,
    base: &str,
    sample: Option<&Demo>,
) -> Result<(), StartError> {
    let text = match sample {
        Some(sample) => sample.announcement(base),
        None => match platform.set_up().prepare().await? {
            Some(token) => format!("set-up link: {base}/setup?token={}\n", token.expose()),
            None => format!("Gatelodge is serving at {base}\n"),
        },
    };
    let mut out = std::io::stdout().lock();
    // Nobody may be reading: that is no reason not to serve.
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .ok();
    Ok(())
}

/// What goes on beside the requests.
fn loops(platform: &Platform, stopped: &watch::Receiver<bool>) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    let until_stopped = |stopped: &watch::Receiver<bool>| {
        let mut stopped = stopped.clone();
        async move {
            stopped.wait_for(|stopped| *stopped).await.ok();
        }
    };
    let follower = platform.clone();
    let stop = until_stopped(stopped);
    loops.spawn(async move {
        let follow = async {
            loop {
                if let Err(error) = follower.follow_changes().await {
                    tracing::warn!(error = ?error, "the change feed broke; every check reads until it is back");
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        tokio::select! { () = follow => {}, () = stop => {} }
    });
    let flusher = platform.clone();
    let stop = until_stopped(stopped);
    loops.spawn(async move {
        let flush = async {
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                if let Err(error) = flusher.flush_activity().await {
                    tracing::warn!(error = ?error, "activity could not be stored; it is kept");
                }
            }
        };
        tokio::select! { () = flush => {}, () = stop => {} }
    });
    let tidier = platform.clone();
    let stop = until_stopped(stopped);
    loops.spawn(async move {
        let tidy = async {
            loop {
                let more = tidier.tidy().await.unwrap_or_else(|error| {
                    tracing::warn!(error = ?error, "what has expired could not be removed");
                    false
                });
                let pause = if more { 1 } else { 60 };
                tokio::time::sleep(Duration::from_secs(pause)).await;
            }
        };
        tokio::select! { () = tidy => {}, () = stop => {} }
    });
    loops
}

/// Makes scheduled backups until told to stop; one that is just being made is given up.
async fn back_up(schedule: Schedule, platform: Platform, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = schedule.run(&platform) => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

/// Accepts connections until told to stop, then lets open requests finish.
async fn listen(
    listener: TcpListener,
    router: Router,
    mut stopped: watch::Receiver<bool>,
    grace: Duration,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(stream, peer, router.clone(), &graceful);
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: a pause lets some close.
                tracing::warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown())
        .await
        .is_err()
        && !grace.is_zero()
    {
        tracing::warn!("some requests were cut off");
    }
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<> {
    stream.set_nodelay(true).ok();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .max_concurrent_streams(128)
        .max_header_list_size(32 * 1024);
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    let connection = graceful.watch(connection);
    async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "a connection ended early");
        }
    }
}

/// SIGTERM, and an interrupt from the terminal.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, StartError> {
        let listen = |kind| signal(kind).map_err(StartError::io("signals cannot be received"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
