//! Viewers vanish: their network is gone and stays gone, and nobody says so.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::audience::Audience;
use crate::network::{Broken, Network};
use crate::outpost::Outpost;
use crate::report::{Row, seconds};
use crate::story::{self, Story};

const BAR: Duration = Duration::from_secs(40);
const PATIENCE: Duration = Duration::from_secs(90);
const TICK: Duration = Duration::from_millis(100);
const VIEWERS: usize = 20;
/// One run speaks often, one hardly ever.
const EVERY: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(3600)];

pub(super) async fn happen(edge: &Path) -> anyhow::Result<Vec<Row>> {
    let network = match Network::lay() {
        Ok(network) => network,
        Err(error) => return Ok(vec![Row::new("silence", format!("not run: {error:#}"))]),
    };
    let outpost = Outpost::start(edge, &network).await?;
    let mut rows = Vec::new();
    for (every, words) in EVERY.into_iter().zip(["streams", "says nothing"]) {
        let runs = story::names(&format!("silence-{}", every.as_millis()), 1);
        let story = Story::begin(&outpost.bus, &runs, 1, every).await?;
        let audience = Audience::gather(&runs, VIEWERS, &outpost.manner());
        audience.all_are_in().await?;
        network.cut(Broken::ToViewers)?;
        let since = Instant::now();
        while outpost.viewers().await? > 0 && since.elapsed() < PATIENCE {
            sleep(TICK).await;
        }
        let freed = since.elapsed();
        drop(audience);
        network.mend(Broken::ToViewers)?;
        story.end().await?;
        let what = format!("{VIEWERS} viewers of a run that {words} vanish: all freed after");
        rows.push(Row::new(what, seconds(freed)).bar("≤ 40 s", freed <= BAR));
    }
    Ok(rows)
}
