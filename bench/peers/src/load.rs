//! Viewers who watch runs that are written at a steady rate: what they see, how late, and what it costs.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::crowd::{Crowd, Report, Target};
use crate::figures::percentile;
use crate::pace::{self, Schedule};
use crate::process;
use crate::server::{Server, Writer};
use crate::stamp::Stamp;
use crate::tally::Tally;

/// Between the last viewer's coming and the first message.
const SETTLING: Duration = Duration::from_millis(500);
/// How long publishers may go on after the last message was due.
const LATE: Duration = Duration::from_secs(15);
/// After so long without a message there will be none.
const SILENCE: Duration = Duration::from_secs(3);

/// How much is asked of a server.
#[derive(Debug, Clone)]
pub struct Load {
    /// Of its runs, before a number.
    pub name: String,
    /// As many of each run, or one more.
    pub viewers: usize,
    pub schedule: Schedule,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    pub p50: Duration,
    pub p99: Duration,
    /// The same of who listens to NATS itself.
    pub bare: Option<(Duration, Duration)>,
    pub lost: u64,
    pub repeated: u64,
    /// Connections the server closed, and why the first.
    pub closed: usize,
    pub why: Option<String>,
    /// CPU seconds of the server, the same with what stores for it, of the client.
    pub cpu: f64,
    pub cpu_with_storage: f64,
    pub cpu_of_client: f64,
}

impl Outcome {
    /// Whether each viewer saw everything once.
    pub fn is_whole(&self) -> bool {
        self.lost == 0 && self.repeated == 0 && self.closed == 0
    }
}

/// Puts the load on the server.
pub async fn put(server: &mut Server, load: Load) -> anyhow::Result<Outcome> {
    let mut writers = Vec::new();
    for run in 0..load.schedule.runs {
        writers.push(server.begin(&name(&load, run)).await?);
    }
    on(server, writers, load).await
}

/// Puts the load on runs that were begun, by these, and named as the load says.
pub async fn on(server: &mut Server, writers: Vec<Writer>, load: Load) -> anyhow::Result<Outcome> {
    let begin = Instant::now();
    let crowd = Crowd::open(targets(server, &load), begin);
    crowd.ready().await?;
    sleep(SETTLING).await;
    let costs = Costs::now(server, &crowd)?;
    let all_written = write(writers, load.schedule, begin);
    let writing = load.schedule.lasts() + LATE;
    if timeout(writing, all_written).await.is_err() {
        eprintln!("  the publishers were too late and gave up");
    }
    crowd.shown(expected(server, &load), SILENCE).await;
    let costs = Costs::now(server, &crowd)?.since(&costs);
    let outcome = outcome(crowd.close().await?, &load, &costs);
    if let Some(why) = &outcome.why {
        eprintln!("  {} viewers lost their connection: {why}", outcome.closed);
    }
    Ok(outcome)
}

/// The name of the run with this number.
pub fn name(load: &Load, run: u64) -> String {
    format!("{}-{run}", load.name)
}

/// Each viewer's run; at the edge, somebody who listens to NATS besides.
fn targets(server: &mut Server, load: &Load) -> Vec<Target> {
    let viewers = (0..load.viewers as u64).map(|at| name(load, at % load.schedule.runs));
    let mut targets: Vec<Target> = viewers.map(|run| server.target(&run)).collect();
    targets.extend(server.edge().map(|edge| edge.bare()));
    targets
}

fn expected(server: &mut Server, load: &Load) -> u64 {
    let viewers = (0..load.viewers as u64).map(|at| at % load.schedule.runs);
    let bare = server.edge().map_or(0, |_| load.schedule.all());
    viewers.map(|run| load.schedule.of_run(run)).sum::<u64>() + bare
}

/// Publishes what is due, one message of a run in flight; what is late follows at once.
async fn write(writers: Vec<Writer>, schedule: Schedule, begin: Instant) {
    let mut runs = Vec::new();
    let mut writing = JoinSet::new();
    for writer in writers {
        let (tell, told) = unbounded_channel();
        runs.push(tell);
        writing.spawn(write_one(writer, told));
    }
    pace::tell(schedule, begin, runs);
    while let Some(written) = writing.join_next().await {
        if let Ok(Err(error)) = written {
            eprintln!("  a publisher failed: {error:#}");
        }
    }
}

async fn write_one(mut writer: Writer, mut told: UnboundedReceiver<Stamp>) -> anyhow::Result<()> {
    while let Some(stamp) = told.recv().await {
        writer.put(stamp).await?;
    }
    Ok(())
}

fn outcome(mut report: Report, load: &Load, costs: &Costs) -> Outcome {
    let of =
        |delays: &mut [u32], percent| Duration::from_micros(percentile(delays, percent).into());
    let lost = report.tallies.iter().enumerate();
    let bare = (!report.bare.is_empty()).then(|| {
        let p50 = of(&mut report.bare, 50.0);
        (p50, of(&mut report.bare, 99.0))
    });
    Outcome {
        p50: of(&mut report.delays, 50.0),
        p99: of(&mut report.delays, 99.0),
        bare,
        lost: lost
            .map(|(at, tally)| tally.lost(load.schedule.of_run(at as u64 % load.schedule.runs)))
            .sum(),
        repeated: report.tallies.iter().map(Tally::repeated).sum(),
        closed: report.closed,
        why: report.why,
        cpu: costs.server,
        cpu_with_storage: costs.with_storage,
        cpu_of_client: costs.client,
    }
}

/// CPU seconds used.
struct Costs {
    server: f64,
    with_storage: f64,
    client: f64,
}

impl Costs {
    fn now(server: &Server, crowd: &Crowd) -> anyhow::Result<Self> {
        Ok(Self {
            server: process::cpu(&server.processes())?,
            with_storage: process::cpu(&server.with_storage())?,
            client: process::cpu_of_thread(crowd.thread())?,
        })
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            server: self.server - before.server,
            with_storage: self.with_storage - before.with_storage,
            client: self.client - before.client,
        }
    }
}
