//! A thousand viewers of a run stop reading beside a hundred who go on. With and without them in turn, so that
//! what else the machine does meets both.

use std::path::Path;
use std::time::Duration;

use aideator_bench_peers::figures::median;
use aideator_bench_peers::load::{self, Load};
use aideator_bench_peers::pace::Schedule;
use aideator_bench_peers::process::memory;
use aideator_bench_peers::server::{Peer, Server, Writer, get};
use anyhow::ensure;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::report::Row;
use crate::stage;

const STALLED: usize = 1_000;
const HEALTHY: usize = 100;
const ROUNDS: usize = 5;
/// What is said before the measurement: more than the kernel keeps for any of them.
const FILLINGS: usize = 200;
const FILLING: usize = 8 * 1024;
/// What the kernel keeps at their side.
const RECEIVED: u32 = 4 * 1024;
/// Until what they could not take was let go.
const SETTLING: Duration = Duration::from_secs(3);
/// Of the p99 without them.
const BAR: f64 = 1.2;

pub(super) async fn happen(edge: &Path) -> anyhow::Result<Vec<Row>> {
    let mut server = Server::start(Peer::Edge, edge).await?;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        alone.push(measure(&mut server, &format!("alone-{round}"), false).await?);
        beside.push(measure(&mut server, &format!("beside-{round}"), true).await?);
    }
    server.stop().await?;
    let (p99, without) = (middle(&beside), middle(&alone));
    let ratio = p99 / without;
    let what = format!("{HEALTHY} viewers of a run × 100 events/s beside {STALLED} that stalled");
    let grown = beside.iter().map(|measured| measured.grown);
    let grown = grown.fold(0.0, f64::max) / STALLED as f64;
    Ok(vec![
        Row::new(
            format!(
                "{what}: p99, without them the same minute (medians of {ROUNDS} rounds in turn)"
            ),
            format!("{p99:.2} ms, {without:.2} ms: {ratio:.2} ×"),
        )
        .bar("≤ 1.2 ×", ratio <= BAR),
        Row::new(
            format!("{what}: the edge's memory for each"),
            format!("{grown:.1} KiB"),
        ),
    ])
}

fn middle(rounds: &[Measured]) -> f64 {
    let p99s: Vec<f64> = rounds.iter().map(|measured| measured.p99).collect();
    median(&p99s).unwrap_or_default()
}

struct Measured {
    /// Milliseconds.
    p99: f64,
    /// Kibibytes by which the edge grew when they stalled.
    grown: f64,
}

async fn measure(server: &mut Server, name: &str, with: bool) -> anyhow::Result<Measured> {
    let load = Load {
        name: name.to_owned(),
        viewers: HEALTHY,
        schedule: Schedule {
            runs: 1,
            per_second: 100,
            warm: 0,
            messages: 1_000,
        },
    };
    let mut writer = server.begin(&load::name(&load, 0)).await?;
    let before = memory(&server.processes())?;
    let mut held = Vec::new();
    for _ in 0..if with { STALLED } else { 0 } {
        held.push(stall(server, &load::name(&load, 0)).await?);
    }
    if let Writer::Edge(writer) = &mut writer {
        for _ in 0..FILLINGS {
            writer.say("x".repeat(FILLING)).await?;
        }
    }
    sleep(SETTLING).await;
    let grown = memory(&server.processes())?.saturating_sub(before) as f64;
    let seen = load::on(server, vec![writer], load).await?;
    ensure!(seen.is_whole(), "healthy viewers lost something: {seen:?}");
    let left = stage::viewers(server.target("").address, "").await?;
    ensure!(
        left >= held.len() as u64,
        "of {} stalled viewers {left} were left",
        held.len()
    );
    let p99 = seen.p99.as_secs_f64() * 1e3;
    Ok(Measured { p99, grown })
}

/// A viewer who asks and does not read.
async fn stall(server: &Server, run: &str) -> anyhow::Result<TcpStream> {
    let address = server.target(run).address;
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(RECEIVED)?;
    let mut socket = socket.connect(address).await?;
    let request = get(address, &format!("/api/v1/runs/{run}/stream"));
    socket.write_all(request.as_bytes()).await?;
    Ok(socket)
}
