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
/// A server behind which messages heap up does not serve so many, whether or not it loses one.
const KEEPS_UP: Duration = Duration::from_millis(250);

pub(crate) async fn measure(server: &mut Server) -> anyhow::Result<Vec<Measured>> {
    let (mut most, mut p99) = (0, Duration::ZERO);
    for viewers in STEPS {
        let seen = load::put(server, watched_by(viewers, SECONDS)).await?;
        eprintln!(
            "  {viewers}: p99 {:.1} ms, {} lost, {} closed, {:.2} CPU-s, client {:.2}",
            ms(seen.p99),
            seen.lost,
            seen.closed,
            seen.cpu_with_storage,
            seen.cpu_of_client
        );
        if !seen.is_whole() || seen.p99 > KEEPS_UP {
            break;
        }
        (most, p99) = (viewers, seen.p99);
    }
    let what = "most viewers of one run × 100 events/s with nothing lost and p99 below 250 ms";
    let higher = Compared::Higher;
    Ok(vec![
        Measured::new(what, Unit::Count, higher, "3,000", most as f64),
        Measured::new(
            "p99 with the most viewers",
            Unit::Milliseconds,
            Compared::Not,
            "≤ 60 ms",
            ms(p99),
        ),
    ])
}
