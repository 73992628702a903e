//! Structured logs on standard error. No secret gets here: nothing that holds
//! one shows it in `Debug`, and bodies and addresses are never logged.

use std::io;

use tracing_subscriber::{EnvFilter, fmt};

use crate::{
    app::StartError,
    config::{Loaded, LogFormat},
};

/// Starts logging as configured.
///
/// # Errors
/// When the filter cannot be read.
pub(crate) fn start(loaded: &Loaded) -> Result<(), StartError> {
    let log = &loaded.config.log;
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| {
        loaded.error(
            "log.filter",
            format!("must be a filter such as `info`: {error}"),
        )
    })?;
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match log.format {
        LogFormat::Text => builder
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // Another subscriber is there already when the server is part of a test.
    started.ok();
    Ok(())
}
