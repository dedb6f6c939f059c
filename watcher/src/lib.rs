//! The watcher of AIdeator: reports and the ends of processes become truthful states.
//!
//! It closes attempts and moves variations on from `starting`; it never launches or stops an agent,
//! and never says how one ended before the agent can no longer write. Start reading at [`decide`]
//! (everything it decides, as pure functions), then [`observe`] (what it can see).

mod archive;
mod clearing;
mod config;
pub mod decide;
mod engine;
mod error;
pub mod observe;
mod projection;
mod read;
mod reports;
mod rpc;
mod run;
mod settle;
mod watch;

pub use config::{ClusterConfig, Config};
pub use error::Error;
pub use run::{run, run_in_cluster};
