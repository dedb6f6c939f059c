//! The watcher as a binary of its own, for a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use aideator_bus::{Bus, Connect, Credentials, answer_probes};
use aideator_watcher::{ClusterConfig, run_in_cluster};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Turns what agents report and how their pods end into states; keeps the list of runs
#[derive(Debug, Parser)]
#[command(name = "aideator-watcher", version)]
struct Cli {
    /// NATS server, nats://host:port
    #[arg(long, env = "AIDEATOR_NATS")]
    nats: String,
    /// File with the watcher's NATS credential
    #[arg(long, env = "AIDEATOR_CREDS")]
    creds: PathBuf,
    /// Address that takes TCP connections while the watcher lives, for probes
    #[arg(long, env = "AIDEATOR_HEALTH", default_value = "0.0.0.0:8081")]
    health: SocketAddr,
    #[command(flatten)]
    config: ClusterConfig,
}

/// How long NATS may take to be there at the start.
const NATS: Duration = Duration::from_secs(10 * 60);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .init();
    let mut terminate = signal(SignalKind::terminate())?;
    let client = kube::Client::try_default().await?;
    let connect = Connect::new(&cli.nats, "aideator watcher")
        .credentials(Credentials::load(&cli.creds)?)
        .wait(NATS);
    let shutdown = CancellationToken::new();
    let stopping = shutdown.clone();
    tokio::spawn(async move {
        terminate.recv().await;
        stopping.cancel();
    });
    let Some(bus) = shutdown.run_until_cancelled(Bus::connect(connect)).await else {
        return Ok(());
    };
    let served = run_in_cluster(cli.config, client, bus?, shutdown);
    tokio::select! {
        served = served => Ok(served?),
        error = answer_probes(cli.health) => Err(error.into()),
    }
}
