//! A finished run of 5,000 messages, from connecting until the last was read: when the server's program has
//! not seen it since it was started, and when somebody has just read it.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::crowd::Crowd;
use crate::figures::{Unit, median};
use crate::server::Server;
use crate::stamp::Stamp;
use crate::table::{Compared, Measured};

use super::ms;

const MESSAGES: u64 = 5_000;
/// Runs measured, each once cold and once warm.
const RUNS: usize = 5;
const SILENCE: Duration = Duration::from_secs(5);

pub(crate) async fn measure(server: &mut Server) -> anyhow::Result<Vec<Measured>> {
    let runs: Vec<String> = (0..RUNS).map(|run| format!("replay-{run}")).collect();
    for run in &runs {
        let mut writer = server.begin(run).await?;
        for n in 1..=MESSAGES {
            writer.put(Stamp { n, due: None }).await?;
        }
        writer.finish().await?;
    }
    let forgets = server.forget().await?;
    // The first answer of a program that was just started is about that, not about replay.
    let mut other = server.begin("other").await?;
    other.put(Stamp { n: 1, due: None }).await?;
    replay(server, "other", 1).await?;
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for run in &runs {
        cold.push(ms(replay(server, run, MESSAGES).await?));
        warm.push(ms(replay(server, run, MESSAGES).await?));
    }
    let row = |what: &str, bar, values: &[f64]| {
        let what = format!("replay of a finished run of 5,000 events, {what}");
        let value = median(values).unwrap_or_default();
        Measured::new(what, Unit::Milliseconds, Compared::Lower, bar, value)
    };
    let mut rows = vec![row("warm", "≤ 2 ms", &warm)];
    if forgets {
        rows.push(row("cold (the server was started again)", "≤ 30 ms", &cold));
    }
    Ok(rows)
}

async fn replay(server: &Server, run: &str, messages: u64) -> anyhow::Result<Duration> {
    let crowd = Crowd::open(vec![server.target(run)], Instant::now());
    crowd.shown(messages, SILENCE).await;
    let report = crowd.close().await?;
    let lost: u64 = report
        .tallies
        .iter()
        .map(|tally| tally.lost(messages))
        .sum();
    ensure!(lost == 0, "{lost} of {messages} messages did not come");
    Ok(report.took)
}
