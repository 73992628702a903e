//! The program `boathouse`.

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
};

use gatelodge_example_embedded::router;
use gatelodge_server::{
    Gatelodge,
    config::{self, Overrides},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let loaded = config::load(&Overrides::default(), std::env::vars_os())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(loaded.config.server.listen).await?;
    let gatelodge = Gatelodge::open(&loaded, listener.local_addr()?).await?;
    let router = router(&gatelodge)?;
    let greeting = match gatelodge.set_up_link().await? {
        Some(link) => format!("set-up link: {}", link.expose()),
        None => format!("the Boathouse is open at {}", gatelodge.origin()),
    };
    writeln!(io::stdout(), "{greeting}")?;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    gatelodge.serve(listener, router, stop).await;
    Ok(())
}
