//! Connections are cut at random bytes, by viewers themselves and by a proxy in front of an `EventSource`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{sleep, timeout};

use crate::audience::{Audience, Truth, Verdict};
use crate::browsers::{Browser, Browsers};
use crate::cut::Cuts;
use crate::proxy::Proxy;
use crate::report::Row;
use crate::seen::Wrongs;
use crate::stage::Stage;
use crate::story::{self, Story};
use crate::viewer::Manner;

/// Of viewers of live runs, and of viewers of finished ones.
const CUTS: u64 = 5_000;
/// Some are never made, because their answer ended before.
const SPARE: u64 = 200;
const VIEWERS: usize = 50;
const RUNS: usize = 5;
const VARIATIONS: usize = 3;
const EVERY: Duration = Duration::from_millis(50);
/// Messages of a variation of a finished run.
const MESSAGES: u64 = 300;
const LIMIT: Duration = Duration::from_secs(240);
const TICK: Duration = Duration::from_millis(50);

const BROWSERS: usize = 200;
/// How long they watch.
const WATCHED: Duration = Duration::from_secs(20);
/// A proxy cuts them after so many bytes of an answer.
const CUT_AFTER: std::ops::Range<u64> = 50..40_000;

pub(super) async fn happen(edge: &Path) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::start(edge, 1).await?;
    let mut rows = Vec::new();
    rows.extend(live(&stage).await?);
    rows.extend(finished(&stage).await?);
    rows.push(match browsers(&stage).await {
        Ok(row) => row,
        Err(error) => Row::new(
            "cuts in front of the npm package `eventsource`",
            format!("not run: {error:#}"),
        ),
    });
    Ok(rows)
}

async fn live(stage: &Stage) -> anyhow::Result<Vec<Row>> {
    let runs = story::names("cut-live", RUNS);
    let story = Story::begin(&stage.bus, &runs, VARIATIONS, EVERY).await?;
    let cuts = Arc::new(Cuts::new(CUTS + SPARE));
    let audience = Audience::gather(&runs, VIEWERS, &manner(stage, &cuts));
    all_made(&cuts).await?;
    let verdict = audience.end(&story.end().await?).await;
    Ok(rows("viewers of live runs, cut at random bytes", &verdict))
}

async fn finished(stage: &Stage) -> anyhow::Result<Vec<Row>> {
    let mut truth = Truth::new();
    let runs = story::names("cut-past", RUNS);
    for run in &runs {
        let whole = story::whole(&stage.bus, run, VARIATIONS, MESSAGES).await?;
        truth.extend([whole]);
    }
    let cuts = Arc::new(Cuts::new(CUTS + SPARE));
    let mut all = Verdict::default();
    let watching = async {
        while cuts.are_left() {
            let audience = Audience::gather(&runs, VIEWERS, &manner(stage, &cuts));
            all += audience.end(&truth).await;
        }
    };
    timeout(LIMIT, watching).await.context("too slow")?;
    Ok(rows("viewers of finished runs, cut at random bytes", &all))
}

fn manner(stage: &Stage, cuts: &Arc<Cuts>) -> Manner {
    Manner {
        door: stage.edges[0].address(),
        token: None,
        pause: Duration::ZERO,
        cuts: Some(Arc::clone(cuts)),
    }
}

async fn all_made(cuts: &Cuts) -> anyhow::Result<()> {
    let made = async {
        while cuts.are_left() {
            sleep(TICK).await;
        }
    };
    timeout(LIMIT, made).await.context("too few were cut")
}

fn rows(what: &str, verdict: &Verdict) -> Vec<Row> {
    let places = verdict.places;
    let all = places.all();
    vec![
        verdict.row(what),
        Row::new(format!("{what}: where"), format!("{all} cuts: {places}")),
    ]
}

async fn browsers(stage: &Stage) -> anyhow::Result<Row> {
    let folder = folder();
    Browsers::install(&folder).await?;
    let runs = story::names("cut-npm", RUNS);
    let story = Story::begin(&stage.bus, &runs, VARIATIONS, EVERY).await?;
    let proxy = Proxy::start(stage.addresses(), Some(CUT_AFTER)).await?;
    let door = format!("http://{}", proxy.address);
    let browsers = Browsers::gather(&folder, &door, BROWSERS, &runs)?;
    let watching = tokio::spawn(browsers.end());
    sleep(WATCHED).await;
    let truth = story.end().await?;
    let browsers = timeout(LIMIT, watching)
        .await
        .context("some did not stop")???;
    Ok(judge(&browsers, &truth, proxy.cuts()))
}

fn judge(browsers: &[Browser], truth: &Truth, cuts: u64) -> Row {
    let mut wrongs = Wrongs::default();
    let (mut opened, mut unfinished) = (0, 0);
    for browser in browsers {
        let said = truth.get(&browser.run).map_or(&[][..], Vec::as_slice);
        wrongs += browser.seen.wrongs(said);
        opened += browser.opened;
        unfinished += usize::from(browser.status != Some(204));
    }
    let Wrongs {
        lost,
        repeated,
        reordered,
        altered,
        ..
    } = wrongs;
    let what = format!(
        "the npm package `eventsource` behind a proxy that cuts: {} viewers, {cuts} cuts, {opened} connections",
        browsers.len()
    );
    let result = format!(
        "{lost} lost, {repeated} repeated, {reordered} reordered, {altered} texts altered, {unfinished} not stopped by 204"
    );
    let fine = wrongs == Wrongs::default() && unfinished == 0 && browsers.len() == BROWSERS;
    Row::new(what, result).bar("0, 0, 0, 0, 0", fine)
}

/// Beside the program itself.
fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let beside = program.parent().map(Path::to_owned).unwrap_or_default();
    beside.join("bench-faults-npm")
}
