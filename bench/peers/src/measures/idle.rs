//! Viewers who wait: what they hold of the server's memory, and of NATS.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use serde_json::Value;
use tokio::time::sleep;

use crate::crowd::Crowd;
use crate::figures::Unit;
use crate::process::memory;
use crate::server::Server;
use crate::stamp::Stamp;
use crate::table::{Compared, Measured};

pub const VIEWERS: usize = 10_000;
pub const RUNS: usize = 1_000;
/// Until what is allocated and freed while viewers come in is over.
const SETTLING: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(5);

/// All of one run.
pub(crate) async fn of_one_run(server: &mut Server) -> anyhow::Result<Vec<Measured>> {
    let grown = wait(server, 1).await?;
    let row = |what: &str, compared, bar, value| {
        let what = format!("10,000 idle viewers of one run: {what}");
        Measured::new(what, Unit::Kibibytes, compared, bar, value)
    };
    let (lower, not) = (Compared::Lower, Compared::Not);
    Ok(vec![
        row(
            "memory a viewer",
            lower,
            "≤ 3 KiB",
            grown.server / VIEWERS as f64,
        ),
        row(
            "memory of the server before they came",
            not,
            "–",
            grown.before,
        ),
    ])
}

/// Ten of each of a thousand runs.
pub(crate) async fn of_many_runs(server: &mut Server) -> anyhow::Result<Vec<Measured>> {
    let grown = wait(server, RUNS).await?;
    let row = |what: &str, unit, compared, bar, value| {
        let what = format!("10,000 idle viewers of 1,000 runs: {what}");
        Measured::new(what, unit, compared, bar, value)
    };
    let (lower, not) = (Compared::Lower, Compared::Not);
    let a_viewer = grown.server / VIEWERS as f64;
    let mut rows = vec![row(
        "memory a viewer",
        Unit::Kibibytes,
        lower,
        "–",
        a_viewer,
    )];
    if let Some((grown, consumers)) = grown.nats {
        let mib = grown / 1024.0;
        rows.extend([
            row(
                "nats-server grows by",
                Unit::Mebibytes,
                not,
                "≤ 20 MiB",
                mib,
            ),
            row("JetStream consumers", Unit::Count, not, "0", consumers),
        ]);
    }
    Ok(rows)
}

/// Kibibytes that viewers add.
pub struct Grown {
    before: f64,
    pub server: f64,
    /// Of nats-server, with the consumers that the stream of runs has more.
    pub nats: Option<(f64, f64)>,
}

/// Lets [`VIEWERS`] come to so many runs and wait.
pub async fn wait(server: &mut Server, runs: usize) -> anyhow::Result<Grown> {
    let names: Vec<String> = (0..runs).map(|run| format!("idle-{run}")).collect();
    for name in &names {
        let mut writer = server.begin(name).await?;
        writer.put(Stamp { n: 1, due: None }).await?;
    }
    sleep(SETTLING).await;
    let before = Held::now(server).await?;
    let targets = (0..VIEWERS).map(|viewer| server.target(&names[viewer % runs]));
    let crowd = Crowd::open(targets.collect(), Instant::now());
    crowd.ready().await?;
    sleep(SETTLING).await;
    let after = Held::now(server).await?;
    let report = crowd.close().await?;
    if let Some(why) = report.why {
        anyhow::bail!("{} viewers lost their connection: {why}", report.closed);
    }
    Ok(Grown {
        before: before.server,
        server: after.server - before.server,
        nats: after
            .nats
            .zip(before.nats)
            .map(|(after, before)| (after.0 - before.0, after.1 - before.1)),
    })
}

/// Kibibytes held, and consumers.
struct Held {
    server: f64,
    nats: Option<(f64, f64)>,
}

impl Held {
    async fn now(server: &mut Server) -> anyhow::Result<Self> {
        let held = memory(&server.processes())? as f64;
        let Some(edge) = server.edge() else {
            return Ok(Self {
                server: held,
                nats: None,
            });
        };
        let nats = memory(&[edge.nats_pid().context("nats-server has ended")?])? as f64;
        let subject = edge.consumers_are_told_by();
        let answer = edge.bus.request(&subject, Bytes::new(), ANSWER).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let consumers = answer["total"]
            .as_f64()
            .context("the number of consumers")?;
        Ok(Self {
            server: held,
            nats: Some((nats, consumers)),
        })
    }
}
