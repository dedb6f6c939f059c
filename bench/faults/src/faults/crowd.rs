//! Ten thousand viewers come to a thousand runs: what of it reaches nats-server.

use std::path::Path;

use aideator_bench_peers::measures::idle;
use aideator_bench_peers::server::{Peer, Server};
use anyhow::Context as _;

use crate::report::Row;

const MEBIBYTES: f64 = 20.0;

pub(super) async fn happen(edge: &Path) -> anyhow::Result<Vec<Row>> {
    let mut server = Server::start(Peer::Edge, edge).await?;
    let grown = idle::wait(&mut server, idle::RUNS).await?;
    server.stop().await?;
    let (nats, consumers) = grown.nats.context("it has a nats-server")?;
    let mebibytes = nats / 1024.0;
    let row = |words: &str, result: String| {
        Row::new(format!("10,000 viewers of 1,000 runs: {words}"), result)
    };
    Ok(vec![
        row("JetStream consumers", format!("{consumers:.0}")).bar("0", consumers == 0.0),
        row("nats-server grows by", format!("{mebibytes:.1} MiB"))
            .bar("≤ 20 MiB", mebibytes <= MEBIBYTES),
        row(
            "the edge's memory for each",
            format!("{:.2} KiB", grown.server / idle::VIEWERS as f64),
        ),
    ])
}
