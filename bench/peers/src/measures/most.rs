//! How many viewers a server can have before one of them misses something or waits long.

use std::time::Duration;

use crate::figures::Unit;
use crate::load;
use crate::server::Server;
use crate::table::{Compared, Measured};

use super::fan_out::watched_by;
use super::ms;

const STEPS: [usize; 6] = [500, 1000, 1500, 2000, 2500, 3000];
const SECONDS: u64 = 5;
/// What a viewer does not notice.
const SOON: Duration = Duration::from_millis(60);
/// A server behind which messages heap up is not asked for more.
const HEAPS_UP: Duration = Duration::from_millis(500);

pub(crate) async fn measure(server: &mut Server) -> anyhow::Result<Vec<Measured>> {
    let (mut soon, mut whole, mut p99_of_all) = (0, 0, None);
    for viewers in STEPS {
        let seen = load::put(server, watched_by(viewers, SECONDS)).await?;
        eprintln!(
            "  {viewers}: p99 {:.1} ms, {} lost, {} closed, {:.2} CPU-s with storage, client {:.2}",
            ms(seen.p99),
            seen.lost,
            seen.closed,
            seen.cpu_with_storage,
            seen.cpu_of_client
        );
        if !seen.is_whole() || seen.p99 > HEAPS_UP {
            break;
        }
        whole = viewers;
        if seen.p99 <= SOON {
            soon = viewers;
        }
        p99_of_all = (viewers == 3000).then(|| ms(seen.p99));
    }
    let row = |what: &str, bar, value: usize| {
        let what =
            format!("most viewers of one run × 100 events/s with nothing lost and p99 {what}");
        Measured::new(what, Unit::Count, Compared::Higher, bar, value as f64)
    };
    let mut rows = vec![
        row("at most 60 ms", "3,000", soon),
        row("at most 500 ms (3,000 were tried)", "–", whole),
    ];
    rows.extend(p99_of_all.map(|p99| {
        let what = "3,000 viewers of one run × 100 events/s: p99";
        Measured::new(what, Unit::Milliseconds, Compared::Lower, "≤ 60 ms", p99)
    }));
    Ok(rows)
}
