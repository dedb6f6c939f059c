//! The edge as a binary of its own, for containers.

mod process;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use aideator_bus::{Bus, Connect, Credentials};
use aideator_edge::{Config, Deps};
use anyhow::Context as _;
use clap::Parser;
use tokio::net::TcpListener;

/// NATS is waited for, however late it comes; a pod's probes say when that is too late.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// HTTP API, event streams and web interface of AIdeator; any number of it may run
#[derive(Debug, Parser)]
#[command(name = "aideator-edge", version, max_term_width = 120)]
struct Cli {
    /// Where to serve
    #[arg(
        long,
        env = "AIDEATOR_LISTEN",
        value_name = "ADDR",
        default_value = "0.0.0.0:7780"
    )]
    listen: SocketAddr,
    /// NATS server, nats://host:port; several separated by commas
    #[arg(long, env = "AIDEATOR_NATS", value_name = "URL")]
    nats: String,
    /// File with the edge's NATS credential
    #[arg(long, env = "AIDEATOR_CREDS", value_name = "FILE")]
    creds: Option<PathBuf>,
    #[command(flatten)]
    edge: Config,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    process::log();
    let ended = serve(cli).await;
    if let Err(error) = &ended {
        tracing::error!(error = format!("{error:#}"), "the edge can't run");
    }
    ExitCode::from(u8::from(ended.is_err()))
}

async fn serve(cli: Cli) -> anyhow::Result<()> {
    cli.edge.check(cli.listen)?;
    // For a NATS behind TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stop = process::told_to_stop()?;
    let mut connect = Connect::new(cli.nats, "aideator edge").wait(FOR_EVER);
    connect.credentials = cli.creds.as_deref().map(Credentials::load).transpose()?;
    tracing::info!("waiting for NATS");
    let both = async { tokio::try_join!(Bus::connect(connect.clone()), Bus::connect(connect)) };
    let Some(both) = stop.run_until_cancelled(both).await else {
        return Ok(());
    };
    let (live, bulk) = both?;
    let listener = TcpListener::bind(cli.listen)
        .await
        .context("can't listen")?;
    Ok(aideator_edge::run(
        cli.edge,
        Deps {
            listener,
            live,
            bulk,
        },
        stop,
    )
    .await?)
}
