//! Three edges behind a proxy that chooses at random; one is killed every five seconds and started again.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use crate::audience::Audience;
use crate::proxy::Proxy;
use crate::report::{Row, seconds};
use crate::stage::Stage;
use crate::story::{self, Story};
use crate::viewer::Manner;

const EDGES: usize = 3;
const KILLS: usize = 12;
const BETWEEN: Duration = Duration::from_secs(5);
const RUNS: usize = 10;
const VARIATIONS: usize = 3;
const VIEWERS: usize = 100;
const EVERY: Duration = Duration::from_millis(50);

pub(super) async fn happen(edge: &Path) -> anyhow::Result<Vec<Row>> {
    let mut stage = Stage::start(edge, EDGES).await?;
    let runs = story::names("proxy", RUNS);
    let story = Story::begin(&stage.bus, &runs, VARIATIONS, EVERY).await?;
    let proxy = Proxy::start(stage.addresses(), None).await?;
    let manner = Manner {
        door: proxy.address,
        token: None,
        pause: Duration::from_millis(100),
        cuts: None,
    };
    let audience = Audience::gather(&runs, VIEWERS, &manner);
    audience.all_are_in().await?;
    for kill in 0..KILLS {
        let edge = &mut stage.edges[kill % EDGES];
        edge.kill();
        edge.restart().await?;
        sleep(BETWEEN).await;
    }
    let verdict = audience.end(&story.end().await?).await;
    let what = format!("{EDGES} edges behind a random proxy, one killed every 5 s ({KILLS} times)");
    Ok(vec![
        verdict.row(&what),
        Row::new(
            format!("{what}: the longest from a lost connection to the next event"),
            seconds(verdict.away),
        ),
    ])
}
