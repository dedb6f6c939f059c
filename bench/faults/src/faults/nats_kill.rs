//! nats-server is killed and started again on its store.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use super::streaming;
use crate::audience::{Audience, recovery};
use crate::report::Row;
use crate::stage::Stage;
use crate::story::Story;

const KILLS: usize = 3;
const GONE: Duration = Duration::from_secs(2);

pub(super) async fn happen(edge: &Path) -> anyhow::Result<Vec<Row>> {
    let mut stage = Stage::start(edge, 1).await?;
    let runs = streaming::runs();
    let story = Story::begin(&stage.bus, &runs, 1, streaming::EVERY).await?;
    let audience = Audience::gather(
        &runs,
        streaming::VIEWERS,
        &streaming::at(stage.addresses()[0]),
    );
    audience.all_are_in().await?;
    sleep(streaming::WINDOW).await;
    let mut back = Vec::new();
    for _ in 0..KILLS {
        stage.nats.kill().await;
        sleep(GONE).await;
        stage.nats.restart().await;
        back.push(audience.now());
        sleep(streaming::WINDOW).await;
    }
    let verdict = audience.end(&story.end().await?).await;
    let waits = back
        .iter()
        .map(|back| verdict.longest_wait(*back, streaming::WINDOW));
    let what = format!("nats-server killed and started again ({KILLS} times), 20 runs");
    Ok(vec![
        recovery(
            format!("{what}: recovered after"),
            waits.max().unwrap_or_default(),
        ),
        verdict.row(&what),
    ])
}
