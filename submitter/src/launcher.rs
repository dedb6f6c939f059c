//! Where attempts run: the one seam between local mode and a cluster.

pub(crate) mod cluster;
mod process;

use std::future::Future;
use std::time::Duration;

use aideator_bus::Credentials;
use aideator_contract::local::AttemptName;
use aideator_contract::{AttemptSpec, Reason, limits};

pub use cluster::ClusterLauncher;
pub use process::ProcessLauncher;

/// An attempt that is to be launched.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its name, from which everything made for it is named.
    pub name: AttemptName,
    /// What it is to do. It reads that itself from `.attempt`; a launcher takes from it what bounds it.
    pub spec: AttemptSpec,
    /// Its credential, for its brain alone.
    pub credentials: Credentials,
}

/// How long an attempt may be there at most: it begins within `start_allowance`, keeps its deadline,
/// and has a grace to say its last word.
pub(crate) fn longest_life(spec: &AttemptSpec, start_allowance: Duration) -> Duration {
    start_allowance + Duration::from_secs(spec.deadline_s) + limits::DEADLINE_GRACE
}

/// How long its credential is good for: a minute more.
pub(crate) fn credential_life(spec: &AttemptSpec, start_allowance: Duration) -> Duration {
    longest_life(spec, start_allowance) + limits::CREDENTIAL_GRACE
}

/// Why an attempt was not launched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// Something outside holds it back; the same order may work later. It stays `queued` and says why.
    #[error("{0}")]
    Held(Reason),
    /// It will never work.
    #[error("{0}")]
    Never(Reason),
}

/// How hard an attempt is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// It may still clean up.
    Soft,
    /// It is gone at once.
    Hard,
}

/// What launches attempts and ends them. Both may be asked again for the same attempt, also by
/// another process after a crash.
pub trait Launcher: Send + Sync + 'static {
    /// Launches an attempt; one that was launched before is a success, however it fares.
    fn launch(&self, order: Order) -> impl Future<Output = Result<(), LaunchError>> + Send;

    /// Ends an attempt from outside, without waiting for its end. One that was never launched is
    /// kept from being launched. Errors are the launcher's to log: it is asked again.
    fn stop(&self, name: &AttemptName, pressure: Pressure) -> impl Future<Output = ()> + Send;
}
