//! Running the server: from a configuration to a listener, and to a clean stop.

use std::{
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::{
    Gatelodge,
    app::StartError,
    config::{self, Loaded, MailKind, Overrides},
    demo::{self, Demo},
    http, listener, logging,
};

/// What `serve` is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServeOptions {
    /// What the command line says about the configuration.
    pub(crate) overrides: Overrides,
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, in words for the person at the terminal.
pub(crate) async fn serve(options: ServeOptions) -> Result<(), StartError> {
    let mut overrides = options.overrides;
    // Kept to the end: the folder goes when this does.
    let folder = overrides.demo.then(demo::folder).transpose()?;
    if let Some(folder) = &folder {
        overrides.data_dir = Some(folder.path().to_owned());
    }
    let mut loaded = config::load(&overrides, std::env::vars_os())?;
    if folder.is_some() {
        // Sample data is not worth a backup.
        loaded.config.backup.every_hours = None;
    }
    logging::start(&loaded)?;
    for warning in loaded.warnings() {
        tracing::warn!("{warning}");
    }
    // From here on a signal is a stop, not an end.
    let mut signals = Signals::new()?;
    let listener = bind(loaded.config.server.listen, "server.listen").await?;
    let address = listener
        .local_addr()
        .map_err(StartError::io("the listener has no address"))?;
    let metrics = metrics(&loaded).await?;
    let gatelodge = Gatelodge::open(&loaded, address).await?;
    for shortfall in config::shortfalls(&loaded, gatelodge.platform().providers()) {
        tracing::warn!("{shortfall}");
    }
    let sample = match &folder {
        Some(_) => Some(demo::fill(gatelodge.platform()).await?),
        None => None,
    };
    let folder = mail_folder(&loaded, address)?;
    announce(&gatelodge, sample.as_ref(), folder.as_deref()).await?;

    let (stop, stopped) = watch::channel(false);
    let metrics = metrics.map(|(listener, handle)| {
        let router = http::health::metrics_router(handle);
        tokio::spawn(listener::listen(listener, router, stopped, Duration::ZERO))
    });
    let router = gatelodge.standalone_router();
    tracing::info!(address = %address, origin = %gatelodge.origin(), "serving");
    let told = async {
        signals.stop().await;
        tracing::info!("stopping");
        stop.send_replace(true);
    };
    gatelodge.serve(listener, router, told).await;
    if let Some(metrics) = metrics {
        metrics.await.ok();
    }
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

/// Where mails lie, if they stay on this machine.
fn mail_folder(loaded: &Loaded, address: SocketAddr) -> Result<Option<PathBuf>, StartError> {
    let policy = loaded.origin_policy(address)?;
    if loaded.config.mail.taker(&policy) != Some(MailKind::File) {
        return Ok(None);
    }
    let folder = loaded.config.mail_folder();
    let shown = folder.display();
    tracing::info!(folder = %shown, "no mail leaves this machine: each is put into this folder");
    Ok(Some(folder))
}

/// Tells the person at the terminal where to go.
async fn announce(
    gatelodge: &Gatelodge,
    sample: Option<&Demo>,
    mails: Option<&Path>,
) -> Result<(), StartError> {
    let base = gatelodge.origin();
    let text = match sample {
        Some(sample) => sample.announcement(&base, mails),
        None => match gatelodge.set_up_link().await? {
            Some(link) => format!("set-up link: {}\n", link.expose()),
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
