//! The submitter as a binary of its own, for a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use aideator_bus::{Bus, Connect, Credentials, answer_probes};
use aideator_submitter::{ClusterConfig, run_in_cluster};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Takes requests, and makes a Job for every attempt of a variation
#[derive(Debug, Parser)]
#[command(name = "aideator-submitter", version)]
struct Cli {
    /// NATS server, nats://host:port
    #[arg(long, env = "AIDEATOR_NATS")]
    nats: String,
    /// File with the submitter's NATS credential
    #[arg(long, env = "AIDEATOR_CREDS")]
    creds: PathBuf,
    /// Address that takes TCP connections while the submitter lives, for probes
    #[arg(long, env = "AIDEATOR_HEALTH", default_value = "0.0.0.0:8081")]
    health: SocketAddr,
    #[command(flatten)]
    config: ClusterConfig,
}

/// How long Kubernetes may take to answer: one call that hangs must not hold up the others.
const ANSWER: Duration = Duration::from_secs(10);
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
    let mut kubernetes = kube::Config::infer().await?;
    kubernetes.read_timeout = Some(ANSWER);
    let client = kube::Client::try_from(kubernetes)?;
    let connect = Connect::new(&cli.nats, "aideator submitter")
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
