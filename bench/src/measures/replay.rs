//! A finished run of 5,000 chunks from connect to `end`, by an edge that has not seen it: with the stream
//! otherwise small, and among a million messages of others.

use std::time::Instant;

use aideator_bus::Bus;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::Options;
use crate::figures::{Samples, count, ms};
use crate::installation::Installation;
use crate::results::Row;
use crate::runs::Made;
use crate::viewer::Viewer;

const CHUNKS: u64 = 5_000;
const TIMES: u64 = 9;
const OTHERS: u64 = 1_000;

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Row>> {
    let installation = Installation::new(&options.aideator)?;
    let (nats, edge) = installation.nats_and_edge().await?;
    let bus = installation.bus(&nats.ready).await?;
    let mut small = Samples::default();
    for n in 0..TIMES {
        let run = Made::running(&bus, &format!("small-{n}")).await?;
        let last = run.fill(&bus, CHUNKS).await?;
        run.finished(&bus, last).await?;
    }
    for n in 0..TIMES {
        small.add(replay(edge.http()?, &format!("small-{n}")).await?);
    }
    let among = among(&bus, edge.http()?, options.others).await?;
    edge.stop().await?;
    nats.stop().await?;
    Ok(vec![
        row("the stream otherwise small", &small, "< 60 ms"),
        row(
            &format!(
                "its messages spread among {} of others",
                count(options.others)
            ),
            &among,
            "–",
        ),
    ])
}

fn row(which: &str, samples: &Samples, bar: &'static str) -> Row {
    let figure = format!(
        "{} (median of {TIMES}; worst {})",
        ms(samples.percentile(50.0)),
        ms(samples.percentile(100.0))
    );
    Row::new(
        format!("replay of {} chunks by a cold hub, {which}", count(CHUNKS)),
        figure,
        bar,
    )
}

/// Runs whose messages lie between those of many others.
async fn among(bus: &Bus, http: &str, others: u64) -> anyhow::Result<Samples> {
    let mut measured = Vec::new();
    for n in 0..TIMES {
        measured.push(Made::running(bus, &format!("among-{n}")).await?);
    }
    let mut crowd = Vec::new();
    for n in 0..OTHERS.min(others) {
        crowd.push(Made::running(bus, &format!("other-{n}")).await?);
    }
    // Rounds: a share of everybody's messages each, so that every run lies across the whole stream.
    let rounds = 50;
    for round in 0..rounds {
        for run in &measured {
            let subject = run.out();
            let from = round * (CHUNKS / rounds);
            let share = stream::iter(from..from + CHUNKS / rounds).map(|n| {
                bus.append(
                    &subject,
                    run.message(n, format!("word{n} ")),
                    aideator_bus::Append::default(),
                )
            });
            share.buffered(1).try_collect::<Vec<_>>().await?;
        }
        let share = stream::iter(0..others / rounds).map(|n| {
            let run = &crowd[usize::try_from(n).unwrap_or_default() % crowd.len()];
            async move {
                let message = run.message(round + 1, "between ".into());
                bus.append(&run.out(), message, aideator_bus::Append::default())
                    .await
            }
        });
        share
            .buffer_unordered(512)
            .try_for_each(|_| async { Ok(()) })
            .await?;
    }
    let mut samples = Samples::default();
    for run in measured {
        let id = run.id.to_string();
        let last = bus.last_from_leader(&run.out()).await?;
        run.finished(bus, last.map_or(0, |stored| stored.sequence))
            .await?;
        samples.add(replay(http, &id).await?);
    }
    Ok(samples)
}

async fn replay(http: &str, run: &str) -> anyhow::Result<std::time::Duration> {
    let begun = Instant::now();
    let mut viewer = Viewer::open(http, run).await?;
    let mut seen = 0;
    loop {
        let event = viewer.next().await?;
        seen += u64::from(event.name.is_empty());
        if event.name == "end" {
            anyhow::ensure!(seen == CHUNKS, "{seen} of {CHUNKS} events came");
            return Ok(event.at.duration_since(begun));
        }
    }
}
