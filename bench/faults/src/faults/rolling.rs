//! Five thousand viewers on two edges behind a proxy; the edges are ended and started one after the other.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use crate::audience::Audience;
use crate::proxy::Proxy;
use crate::report::{Row, seconds};
use crate::stage::Stage;
use crate::story::{self, Story};
use crate::viewer::Manner;

const EDGES: usize = 2;
const VIEWERS: usize = 5_000;
const RUNS: usize = 50;
const EVERY: Duration = Duration::from_secs(1);
const BAR: Duration = Duration::from_secs(10);
const SETTLING: Duration = Duration::from_secs(3);

pub(super) async fn happen(edge: &Path) -> anyhow::Result<Vec<Row>> {
    let mut stage = Stage::start(edge, EDGES).await?;
    let runs = story::names("rolling", RUNS);
    let story = Story::begin(&stage.bus, &runs, 1, EVERY).await?;
    let proxy = Proxy::start(stage.addresses(), None).await?;
    let manner = Manner {
        door: proxy.address,
        token: None,
        // As the stream asks them to.
        pause: Duration::from_secs(1),
        cuts: None,
    };
    let audience = Audience::gather(&runs, VIEWERS, &manner);
    audience.all_are_in().await?;
    sleep(SETTLING).await;
    let mut back = Duration::ZERO;
    for edge in &mut stage.edges {
        let told = audience.now();
        edge.restart().await?;
        audience.all_are_in().await?;
        back = back.max(audience.now() - told);
        sleep(SETTLING).await;
    }
    let verdict = audience.end(&story.end().await?).await;
    let what = format!("{EDGES} edges replaced one after the other");
    let told = verdict.announced;
    Ok(vec![
        Row::new(
            format!(
                "{what}: all {VIEWERS} viewers are back after the SIGTERM, each waiting a second"
            ),
            seconds(back),
        )
        .bar("≤ 10 s", back <= BAR),
        Row::new(
            format!("{what}: the longest that one was away"),
            seconds(verdict.away),
        ),
        Row::new(
            format!("{what}: 503 with `Retry-After`, any other answer that is no stream"),
            format!("{told}, {}", verdict.refused),
        )
        .bar("any, 0", verdict.refused == 0),
        verdict.row(&what),
    ])
}
