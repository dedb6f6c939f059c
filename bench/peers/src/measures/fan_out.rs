//! Many viewers of one run that is written fast.

use crate::figures::Unit;
use crate::load::{self, Load};
use crate::pace::Schedule;
use crate::server::Server;
use crate::table::{Compared, Measured};

use super::ms;

const PER_SECOND: u64 = 100;

pub(crate) async fn measure(server: &mut Server) -> anyhow::Result<Vec<Measured>> {
    let seen = load::put(server, watched_by(500, 10)).await?;
    let row = |what: &str, unit, compared, bar, value| {
        let what = format!("500 viewers of one run × 100 events/s for 10 s: {what}");
        Measured::new(what, unit, compared, bar, value)
    };
    let (lower, not) = (Compared::Lower, Compared::Not);
    let with_storage = "CPU with what stores for it (for the edge nats-server)";
    let p99 = ms(seen.p99);
    Ok(vec![
        row("CPU", Unit::Seconds, lower, "≤ 0.5 ×", seen.cpu),
        row(
            with_storage,
            Unit::Seconds,
            lower,
            "≤ 0.65 ×",
            seen.cpu_with_storage,
        ),
        row("p50", Unit::Milliseconds, lower, "–", ms(seen.p50)),
        row("p99", Unit::Milliseconds, lower, "≤ 40 ms", p99),
        row("lost", Unit::Count, not, "0", seen.lost as f64),
        row("repeated", Unit::Count, not, "0", seen.repeated as f64),
        row(
            "the client's CPU",
            Unit::Seconds,
            not,
            "–",
            seen.cpu_of_client,
        ),
    ])
}

/// One run at 100 events a second.
pub(super) fn watched_by(viewers: usize, seconds: u64) -> Load {
    Load {
        name: format!("watched-by-{viewers}"),
        viewers,
        schedule: Schedule {
            runs: 1,
            per_second: PER_SECOND,
            warm: 0,
            messages: PER_SECOND * seconds,
        },
    }
}
