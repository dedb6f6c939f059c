//! The submitter: takes commands from the work queue and turns them into runs and attempts.
//!
//! It judges requests, resolves repositories to commits, keeps the queue, launches attempts through
//! a [`Launcher`], tells agents to stop, and keeps a dead letter of whatever it refuses. It owns the
//! states `queued`, `scheduling` and `cancelling`; every later state is the watcher's, except where
//! an attempt never began. It never reads what agents say, and never writes a state without
//! compare-and-set.
//!
//! What to do next is decided by the pure functions of [`decide`]: read a view, take the next step,
//! apply it, read again. A crash between any two steps is mended by doing the same once more.
//! Start reading there, then [`run`].

#![warn(missing_docs)]

mod board;
mod config;
pub mod decide;
mod desk;
mod dispatch;
mod error;
mod in_hand;
mod launcher;
mod ledger;
mod parse;
mod pause;
mod rpc;
mod run;
mod source;
mod stopper;

pub use config::{ClusterConfig, Config};
pub use error::Error;
pub use launcher::{ClusterLauncher, LaunchError, Launcher, Order, Pressure, ProcessLauncher};
pub use run::{Settings, run_in_cluster, serve};
pub use source::Resolver;
