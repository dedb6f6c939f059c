//! Many runs with a viewer each: how long a message takes when nothing is busy.

use crate::figures::Unit;
use crate::load::{self, Load};
use crate::pace::Schedule;
use crate::server::Server;
use crate::table::{Compared, Measured};

use super::ms;

const LOAD: Schedule = Schedule {
    runs: 200,
    per_second: 300,
    warm: 600,
    messages: 6_000,
};

pub(crate) async fn measure(server: &mut Server) -> anyhow::Result<Vec<Measured>> {
    let load = Load {
        name: "latency".into(),
        viewers: 200,
        schedule: LOAD,
    };
    let seen = load::put(server, load).await?;
    let row = |what: &str, compared, bar, value| {
        let what = format!("200 runs × 1 viewer, 300 events/s in all: {what}");
        Measured::new(what, Unit::Milliseconds, compared, bar, value)
    };
    let (lower, not) = (Compared::Lower, Compared::Not);
    let mut rows = vec![
        row("p50", lower, "–", ms(seen.p50)),
        row("p99", lower, "–", ms(seen.p99)),
    ];
    if let Some((p50, p99)) = seen.bare {
        let bare = "a bare subscriber of NATS in the same run";
        rows.extend([
            row(&format!("{bare}, p50"), not, "–", ms(p50)),
            row(&format!("{bare}, p99"), not, "–", ms(p99)),
            row("p50 above it", not, "≤ 0.25 ms", ms(seen.p50) - ms(p50)),
            row("p99 above it", not, "≤ 0.6 ms", ms(seen.p99) - ms(p99)),
        ]);
    }
    let what = "200 runs × 1 viewer, 300 events/s in all: lost or repeated";
    let unseen = (seen.lost + seen.repeated) as f64;
    rows.push(Measured::new(what, Unit::Count, not, "0", unseen));
    Ok(rows)
}
