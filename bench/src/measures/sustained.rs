//! How many chunks a second go from the agent's publisher through storage to a viewer: one run, and 100 at once.

use std::time::{Duration, Instant};

use aideator_bus::publisher::{Publisher, Speaker};
use aideator_contract::{Attempt, Event};
use futures::future::try_join_all;

use crate::Options;
use crate::figures::count;
use crate::installation::{Installation, Up};
use crate::results::Row;
use crate::runs::Made;
use crate::viewer::Viewer;

const CHUNK: &str = "lorem ";

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Row>> {
    let installation = Installation::new(&options.aideator)?;
    let (nats, edge) = installation.nats_and_edge().await?;
    let mut rows = Vec::new();
    for (runs, chunks) in [(1, 1_000_000), (100, 20_000)] {
        rows.push(at_once(&installation, &nats, &edge, runs, chunks).await?);
    }
    edge.stop().await?;
    nats.stop().await?;
    Ok(rows)
}

async fn at_once(
    installation: &Installation,
    nats: &Up,
    edge: &Up,
    runs: u64,
    chunks: u64,
) -> anyhow::Result<Row> {
    let ids: Vec<String> = (0..runs).map(|n| format!("sustained-{runs}-{n}")).collect();
    let http = edge.http()?;
    let begun = Instant::now();
    let messages = try_join_all(
        ids.iter()
            .map(|id| one(installation, nats, http, id, chunks)),
    );
    let messages: u64 = messages.await?.into_iter().sum();
    let took = begun.elapsed();
    let rate = |number: u64| count((number as f64 / took.as_secs_f64()) as u64);
    let figure = format!(
        "{} chunks/s in {} stored messages/s ({} chunks of {} bytes in {:.1} s)",
        rate(runs * chunks),
        rate(messages),
        count(runs * chunks),
        CHUNK.len(),
        took.as_secs_f64(),
    );
    let what = format!("sustained through storage to a viewer each, {runs} run(s), unthrottled");
    Ok(Row::new(what, figure, "–"))
}

/// One run with a viewer: the number of messages its text took.
async fn one(
    installation: &Installation,
    nats: &Up,
    http: &str,
    id: &str,
    chunks: u64,
) -> anyhow::Result<u64> {
    let bus = installation.bus(&nats.ready).await?;
    let run = Made::running(&bus, id).await?;
    let mut viewer = Viewer::open(http, id).await?;
    viewer.until("caught-up").await?;
    let speaker = Speaker::new(run.id.clone(), run.variation, Attempt::FIRST);
    let publisher = Publisher::start(bus, speaker, run.fence, "scripted/lorem").await?;
    let say = async {
        for _ in 0..chunks {
            publisher
                .push(Event::TextDelta {
                    id: "t1".into(),
                    delta: CHUNK.into(),
                })
                .await?;
        }
        publisher.flush().await?;
        anyhow::Ok(publisher.stored_n())
    };
    let wanted = chunks * CHUNK.len() as u64;
    let see = async {
        let mut seen = 0;
        while seen < wanted {
            let event = viewer.next().await?;
            let delta = event
                .data
                .split("\"delta\":\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            seen += delta.map_or(0, str::len) as u64;
        }
        anyhow::Ok(())
    };
    let limit = Duration::from_secs(300);
    let (messages, ()) =
        tokio::time::timeout(limit, async { tokio::try_join!(say, see) }).await??;
    Ok(messages)
}
