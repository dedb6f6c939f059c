//! What 1,000 idle viewers on 100 runs cost the edge and nats-server.

use std::time::Duration;

use futures::future::try_join_all;

use crate::Options;
use crate::figures::mib;
use crate::installation::Installation;
use crate::results::Row;
use crate::runs::Made;
use crate::viewer::Viewer;

const RUNS: u64 = 100;
const VIEWERS: u64 = 1_000;

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Row>> {
    let installation = Installation::new(&options.aideator)?;
    let (nats, edge) = installation.nats_and_edge().await?;
    let bus = installation.bus(&nats.ready).await?;
    let ids: Vec<String> = (0..RUNS).map(|n| format!("idle-{n}")).collect();
    try_join_all(ids.iter().map(|id| Made::running(&bus, id))).await?;
    let before = (nats.memory()?, edge.memory()?);
    let mut viewers = Vec::new();
    for viewer in 0..VIEWERS {
        let id = &ids[usize::try_from(viewer % RUNS)?];
        let mut viewer = Viewer::open(edge.http()?, id).await?;
        viewer.until("caught-up").await?;
        viewers.push(viewer);
    }
    // Past the first tail checks (1, 2, 4 s), which are part of being idle.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let after = (nats.memory()?, edge.memory()?);
    drop(viewers);
    edge.stop().await?;
    nats.stop().await?;
    let server = after.0.saturating_sub(before.0);
    let grown = after.1.saturating_sub(before.1);
    Ok(vec![
        Row::new(
            "nats-server's growth by 1,000 idle viewers on 100 runs",
            mib(server),
            "< 20 MiB",
        ),
        Row::new(
            "the edge's growth by them",
            format!(
                "{} ({:.1} KiB a viewer)",
                mib(grown),
                grown as f64 / VIEWERS as f64
            ),
            "–",
        ),
    ])
}
