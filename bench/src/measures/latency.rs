//! From when a message was due to the viewer's socket, at 200 runs × 1 viewer × 300 messages a second in all.
//! Beside it a bare NATS subscriber of the live subjects, in the same process and the same run.

use std::sync::Arc;
use std::time::Duration;

use aideator_bus::{Append, Bus};
use anyhow::Context as _;
use futures::future::try_join_all;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::Options;
use crate::figures::{Samples, ms};
use crate::installation::{Installation, Ready, Up};
use crate::results::Row;
use crate::runs::Made;
use crate::viewer::Viewer;

const RUNS: u64 = 200;
const PER_SECOND: u64 = 300;
const WARM: u64 = 600;
const MESSAGES: u64 = 6_000;

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Row>> {
    let installation = Installation::new(&options.aideator)?;
    let (nats, edge) = installation.nats_and_edge().await?;
    let bus = installation.bus(&nats.ready).await?;
    let rows = through(&installation, &nats.ready, &edge, bus).await?;
    edge.stop().await?;
    nats.stop().await?;
    Ok(rows)
}

async fn through(
    installation: &Installation,
    nats: &Ready,
    edge: &Up,
    bus: Bus,
) -> anyhow::Result<Vec<Row>> {
    let ids: Vec<String> = (0..RUNS).map(|n| format!("latency-{n}")).collect();
    let made = try_join_all(ids.iter().map(|id| Made::running(&bus, id))).await?;
    let begin = Instant::now() + Duration::from_secs(2);
    let mut viewers = JoinSet::new();
    for run in &made {
        let (http, id) = (edge.http()?.to_owned(), run.id.to_string());
        let mut viewer = Viewer::open(&http, &id).await?;
        viewer.until("caught-up").await?;
        viewers.spawn(async move { watch(&mut viewer, begin).await });
    }
    let subscriber = installation.bus(nats).await?;
    let mut live = try_join_all(made.iter().map(|run| subscriber.live(&run.id))).await?;
    let mut bare = JoinSet::new();
    for mut tail in live.drain(..) {
        bare.spawn(async move {
            let mut samples = Samples::default();
            while let Ok(Some(message)) = timeout(Duration::from_secs(3), tail.next()).await {
                let text = String::from_utf8_lossy(&message.stored.payload).into_owned();
                take(&mut samples, &text, Instant::now(), begin);
            }
            samples
        });
    }
    publish(&bus, Arc::new(made), begin).await?;
    let mut edge_samples = Samples::default();
    while let Some(samples) = viewers.join_next().await {
        edge_samples.extend(samples?);
    }
    let mut bare_samples = Samples::default();
    while let Some(samples) = bare.join_next().await {
        bare_samples.extend(samples?);
    }
    let row = |what: &str, samples: &Samples, bar| {
        let (p50, p99) = (ms(samples.percentile(50.0)), ms(samples.percentile(99.0)));
        Row::new(
            what,
            format!("p50 {p50}, p99 {p99} ({} of {MESSAGES})", samples.len()),
            bar,
        )
    };
    let what = "publish to viewer, stored before shown, 200 runs × 1 viewer, 300 messages/s in all";
    Ok(vec![
        row(what, &edge_samples, "p50 ≤ 1.5 ms, p99 ≤ 5 ms"),
        row(
            "the same to a bare NATS subscriber of the live subjects, in the same run",
            &bare_samples,
            "–",
        ),
    ])
}

/// When messages are due, each told when it is. By a thread of its own: the runtime's timers are as coarse
/// as what is measured.
#[expect(clippy::disallowed_methods, reason = "a pace is nothing but time")]
fn pace(begin: Instant) -> mpsc::UnboundedReceiver<Duration> {
    let (tell, told) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for turn in 0..WARM + MESSAGES {
            let due = Duration::from_micros(turn * 1_000_000 / PER_SECOND);
            std::thread::sleep((begin + due).saturating_duration_since(Instant::now()));
            if tell.send(due).is_err() {
                return;
            }
        }
    });
    told
}

async fn publish(bus: &Bus, runs: Arc<Vec<Made>>, begin: Instant) -> anyhow::Result<()> {
    let mut due = pace(begin);
    let mut sent = JoinSet::new();
    for turn in 0..WARM + MESSAGES {
        let at = due.recv().await.context("the pace ended early")?;
        let (run, n) = (turn % RUNS, turn / RUNS);
        let (bus, runs) = (bus.clone(), Arc::clone(&runs));
        let stamp = if turn < WARM {
            String::new()
        } else {
            format!("due:{}:", at.as_micros())
        };
        sent.spawn(async move {
            let run = &runs[usize::try_from(run).unwrap_or_default()];
            bus.append(&run.out(), run.message(n, stamp), Append::default())
                .await
        });
    }
    while let Some(stored) = sent.join_next().await {
        stored??;
    }
    Ok(())
}

async fn watch(viewer: &mut Viewer, begin: Instant) -> Samples {
    let mut samples = Samples::default();
    // A viewer's share comes every 0.7 s; three seconds of silence after the last are the end.
    while let Ok(Ok(event)) = timeout(Duration::from_secs(5), viewer.next()).await {
        take(&mut samples, &event.data, event.at.into(), begin);
    }
    samples
}

fn take(samples: &mut Samples, text: &str, at: Instant, begin: Instant) {
    let stamp = text
        .split("\"delta\":\"due:")
        .nth(1)
        .and_then(|rest| rest.split(':').next());
    if let Some(due) = stamp.and_then(|micros| micros.parse().ok()) {
        samples.add(
            at.duration_since(begin)
                .saturating_sub(Duration::from_micros(due)),
        );
    }
}
