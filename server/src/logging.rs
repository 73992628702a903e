//! Structured logs on standard error. No secret gets here: nothing that holds
//! one shows it in `Debug`, and bodies and addresses are never logged.

use std::io;

use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, registry,
    util::SubscriberInitExt as _,
};

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
    let filter: Targets = log.filter.parse().map_err(|error| {
        loaded.error(
            "log.filter",
            format!("must be a filter such as `info`: {error}"),
        )
    })?;
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let started = registry().with(filter).with(lines).try_init();
    // Another subscriber is there already when the server is part of a test.
    started.ok();
    Ok(())
}
