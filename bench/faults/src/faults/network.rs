//! The network between edge and nats-server, then between edge and viewers, is broken for half a minute.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use super::streaming;
use crate::audience::{Audience, recovery};
use crate::network::{Broken, Network};
use crate::outpost::Outpost;
use crate::report::Row;
use crate::story::Story;

const BROKEN: Duration = Duration::from_secs(30);

pub(super) async fn happen(edge: &Path) -> anyhow::Result<Vec<Row>> {
    let network = match Network::lay() {
        Ok(network) => network,
        Err(error) => return Ok(vec![Row::new("network", format!("not run: {error:#}"))]),
    };
    let outpost = Outpost::start(edge, &network).await?;
    let runs = streaming::runs();
    let story = Story::begin(&outpost.bus, &runs, 1, streaming::EVERY).await?;
    let audience = Audience::gather(&runs, streaming::VIEWERS, &outpost.manner());
    audience.all_are_in().await?;
    sleep(streaming::WINDOW).await;
    let mut mended = Vec::new();
    for link in [Broken::ToNats, Broken::ToViewers] {
        network.cut(link)?;
        sleep(BROKEN).await;
        network.mend(link)?;
        mended.push(audience.now());
        sleep(streaming::WINDOW).await;
    }
    let verdict = audience.end(&story.end().await?).await;
    let row = |between: &str, at| {
        let what = format!("30 s without a network between {between}, 20 runs: recovered after");
        recovery(what, verdict.longest_wait(at, streaming::WINDOW))
    };
    Ok(vec![
        row("edge and nats-server", mended[0]),
        row(
            "edge and viewers (who give up what is silent for 20 s)",
            mended[1],
        ),
        verdict.row("30 s without a network, twice"),
    ])
}
