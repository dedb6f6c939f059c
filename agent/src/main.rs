//! The agent as a binary of its own, for containers.

use std::process::ExitCode;

use aideator_agent::AgentCommand;
use clap::Parser;
use tracing_subscriber::EnvFilter;

/// One attempt of one variation: clone, think, act, publish
#[derive(Debug, Parser)]
#[command(name = "aideator-agent", version)]
struct Cli {
    #[command(subcommand)]
    command: AgentCommand,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,async_nats=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    Cli::parse().command.run(&["hands"]).await
}
