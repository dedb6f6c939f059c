//! The faults, one file each.

mod crowd;
mod cuts;
mod leader;
mod nats_kill;
mod network;
mod proxy;
mod rolling;
mod silence;
mod stalled;
mod streaming;

use std::path::Path;

use clap::ValueEnum;

use crate::report::Row;

/// What can be done to viewers, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Connections are cut at random bytes.
    Cuts,
    /// Edges behind a proxy are killed in turn.
    Proxy,
    /// nats-server is killed and started again.
    NatsKill,
    /// The leader of a cluster steps down, and is killed.
    Leader,
    /// The network is broken for half a minute.
    Network,
    /// A thousand viewers stall beside a hundred that don't.
    Stalled,
    /// Edges are replaced one after the other under five thousand viewers.
    Rolling,
    /// Viewers vanish without a word.
    Silence,
    /// Ten thousand viewers come to a thousand runs.
    Crowd,
}

impl Fault {
    /// What the figures of others on the machine would change.
    pub(crate) fn is_timed(self) -> bool {
        !matches!(self, Self::Cuts | Self::Proxy | Self::Silence)
    }

    /// Does it, and says what came of it.
    pub(crate) async fn happen(self, edge: &Path) -> anyhow::Result<Vec<Row>> {
        match self {
            Self::Cuts => cuts::happen(edge).await,
            Self::Proxy => proxy::happen(edge).await,
            Self::NatsKill => nats_kill::happen(edge).await,
            Self::Leader => leader::happen(edge).await,
            Self::Network => network::happen(edge).await,
            Self::Stalled => stalled::happen(edge).await,
            Self::Rolling => rolling::happen(edge).await,
            Self::Silence => silence::happen(edge).await,
            Self::Crowd => crowd::happen(edge).await,
        }
    }
}
