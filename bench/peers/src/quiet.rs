//! Whether others use the machine: a figure taken beside a compiler says nothing.

use std::time::{Duration, Instant};

use anyhow::Context as _;

const LOOK: Duration = Duration::from_secs(2);
/// Of the whole machine: little enough for a figure to mean something.
const QUIET: f64 = 0.08;

/// Waits until hardly anybody uses the machine, `patience` at most. The share of it that others used last.
pub async fn wait(patience: Duration) -> anyhow::Result<f64> {
    let until = Instant::now() + patience;
    loop {
        let before = Time::now()?;
        tokio::time::sleep(LOOK).await;
        let busy = Time::now()?.busy_since(before);
        if busy <= QUIET || Instant::now() >= until {
            return Ok(busy);
        }
    }
}

/// Ticks of all processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Time {
    idle: u64,
    all: u64,
}

impl Time {
    fn now() -> anyhow::Result<Self> {
        let text = std::fs::read_to_string("/proc/stat")?;
        Self::read(&text).context("/proc/stat tells no time")
    }

    /// The first line: user, nice, system, idle, waiting for disks, interrupts, and what was stolen.
    fn read(stat: &str) -> Option<Self> {
        let fields = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks = fields.split_whitespace().take(8);
        let ticks: Vec<u64> = ticks.map(str::parse).collect::<Result<_, _>>().ok()?;
        let idle = ticks.get(3)? + ticks.get(4)?;
        let all = ticks.iter().sum();
        Some(Self { idle, all })
    }

    fn busy_since(self, before: Self) -> f64 {
        let all = self.all.saturating_sub(before.all).max(1);
        let idle = self.idle.saturating_sub(before.idle).min(all);
        1.0 - idle as f64 / all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busy_share_is_what_is_neither_idle_nor_waiting() {
        let before = Time::read("cpu  10 0 10 100 20 0 0 0 7 7\ncpu0 1").unwrap();
        let after = Time::read("cpu  20 5 15 150 50 0 0 0 99 99\ncpu0 1").unwrap();
        assert_eq!(
            before,
            Time {
                idle: 120,
                all: 140
            }
        );
        assert!((after.busy_since(before) - 0.2).abs() < 1e-9);
        assert_eq!(Time::read("intr 1 2"), None);
    }
}
