//! What is measured, one file each; each measures one server once.

mod fan_out;
pub mod idle;
mod latency;
mod most;
mod replay;

use std::time::Duration;

use crate::server::Server;
use crate::table::Measured;

/// What can be measured, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    FanOut,
    Most,
    Idle,
    Latency,
    Replay,
    ManyRuns,
}

impl Measure {
    pub(crate) const ALL: [Self; 6] = [
        Self::FanOut,
        Self::Most,
        Self::Idle,
        Self::Latency,
        Self::Replay,
        Self::ManyRuns,
    ];

    /// Its name for `--only`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FanOut => "fan-out",
            Self::Most => "most",
            Self::Idle => "idle",
            Self::Latency => "latency",
            Self::Replay => "replay",
            Self::ManyRuns => "many-runs",
        }
    }

    /// Whether it writes more than one run at a time.
    pub(crate) fn needs_many_runs(self) -> bool {
        matches!(self, Self::Latency | Self::Replay | Self::ManyRuns)
    }

    /// Measures a server that was just started.
    pub(crate) async fn of(self, server: &mut Server) -> anyhow::Result<Vec<Measured>> {
        match self {
            Self::FanOut => fan_out::measure(server).await,
            Self::Most => most::measure(server).await,
            Self::Idle => idle::of_one_run(server).await,
            Self::Latency => latency::measure(server).await,
            Self::Replay => replay::measure(server).await,
            Self::ManyRuns => idle::of_many_runs(server).await,
        }
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
