//! What the process is told from outside, and what it tells.

use std::io::{self, IsTerminal as _};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Begins to log to standard error, as much as `RUST_LOG` says: lines for people on a terminal, else, or
/// with `AIDEATOR_LOG=json`, JSON.
pub(crate) fn log() {
    let filter = EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info,async_nats=warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let wants_json = std::env::var("AIDEATOR_LOG").is_ok_and(|form| form == "json");
    if wants_json || !io::stderr().is_terminal() {
        log.json().init();
    } else {
        log.init();
    }
}

/// Cancelled by SIGTERM or SIGINT.
pub(crate) fn told_to_stop() -> io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}
