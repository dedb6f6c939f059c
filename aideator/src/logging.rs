//! Where the log goes: to standard error, so that standard output is for what was asked for.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::cli::Cli;

/// Begins to log, as much as `RUST_LOG` or `-v` says.
pub(crate) fn init(cli: &Cli) {
    let default = match (cli.verbose, cli.command.is_agent()) {
        (0, false) => "warn",
        (0, true) | (1, _) => "info",
        _ => "debug,hyper=info,async_nats=info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(false)
        .init();
}
