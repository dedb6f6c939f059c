//! In a cluster of three servers the leader of the stream steps down, and is killed.

use std::path::Path;
use std::time::Duration;

use aideator_bench_peers::instance::Instance;
use aideator_bus::Bus;
use aideator_bus::credentials::User;
use aideator_bus::server::testing::TestCluster;
use aideator_contract::subject::RUNS_STREAM;
use anyhow::ensure;
use bytes::Bytes;
use tokio::time::{sleep, timeout};

use super::streaming;
use crate::audience::{Audience, recovery};
use crate::report::{Row, seconds};
use crate::stage::{administer, setup};
use crate::story::Story;

const REPLICAS: u8 = 3;
const ANSWER: Duration = Duration::from_secs(5);
/// While nobody leads nobody answers.
const SOON: Duration = Duration::from_millis(200);
const TICK: Duration = Duration::from_millis(20);
const ELECTION: Duration = Duration::from_secs(60);

pub(super) async fn happen(edge: &Path) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let mut nats = TestCluster::start_with_operator().await;
    let bus = administer(&nats.url(), nats.credentials(User::Admin), REPLICAS).await?;
    let credentials = nats.credentials(User::Edge);
    let edge = Instance::start(setup(edge, &nats.url(), credentials, folder.path())?).await?;
    let runs = streaming::runs();
    let story = Story::begin(&bus, &runs, 1, streaming::EVERY).await?;
    let audience = Audience::gather(&runs, streaming::VIEWERS, &streaming::at(edge.address()));
    audience.all_are_in().await?;
    sleep(streaming::WINDOW).await;

    let before = leader(&bus).await;
    step_down(&bus).await?;
    let stepped_down = audience.now();
    sleep(streaming::WINDOW).await;
    ensure!(leader(&bus).await != before, "the same one leads");
    let before = leader(&bus).await;
    let killed_one = nats.kill_leader(RUNS_STREAM).await;
    let killed = audience.now();
    timeout(ELECTION, another_leads(&bus, before.as_deref())).await?;
    let elected = audience.now();
    sleep(streaming::WINDOW).await;
    nats.restart(killed_one).await;
    sleep(streaming::WINDOW).await;

    let verdict = audience.end(&story.end().await?).await;
    let what = "3 nats-servers, 3 replicas, 20 runs";
    let after = |at| verdict.longest_wait(at, streaming::WINDOW);
    Ok(vec![
        recovery(
            format!("{what}: recovered after the leader stepped down"),
            after(stepped_down),
        ),
        recovery(
            format!("{what}: recovered once another one led, the leader's server being killed"),
            after(elected),
        ),
        Row::new(
            format!(
                "{what}: without a word since it was killed; of it nobody led (nats-server waits 4 to 9 s for a leader's word)"
            ),
            format!("{}; {}", seconds(after(killed)), seconds(elected - killed)),
        ),
        verdict.row(what),
    ])
}

async fn another_leads(bus: &Bus, before: Option<&str>) {
    while leader(bus)
        .await
        .is_none_or(|now| Some(now.as_str()) == before)
    {
        sleep(TICK).await;
    }
}

/// Who leads the stream, if anybody does.
async fn leader(bus: &Bus) -> Option<String> {
    let subject = format!("$JS.API.STREAM.INFO.{RUNS_STREAM}");
    let answer = bus.request(&subject, Bytes::new(), SOON).await.ok()?;
    let answer: serde_json::Value = serde_json::from_slice(&answer).ok()?;
    answer["cluster"]["leader"].as_str().map(str::to_owned)
}

async fn step_down(bus: &Bus) -> anyhow::Result<()> {
    let subject = format!("$JS.API.STREAM.LEADER.STEPDOWN.{RUNS_STREAM}");
    let answer = bus.request(&subject, Bytes::new(), ANSWER).await?;
    let answer: serde_json::Value = serde_json::from_slice(&answer)?;
    ensure!(answer["success"] == true, "it does not step down: {answer}");
    Ok(())
}
