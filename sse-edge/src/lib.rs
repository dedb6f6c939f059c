//! The edge of AIdeator: the HTTP API, event streams for viewers, and the web interface.
//!
//! Any edge can serve any run at any time: it keeps nothing that a restart would miss. It never makes
//! a JetStream consumer; a viewer costs a cursor into frames that are shared.
//!
//! Start reading at [`run`], then `serve` (the socket), [`viewer`] (one viewer), [`hub`] (what viewers of a
//! run share) and [`hub::core`] (the rules, without I/O).

#![warn(missing_docs)]

mod admission;
pub mod api;
pub mod config;
#[cfg(test)]
mod corpus;
pub mod error;
pub mod guard;
pub mod hub;
pub mod multiplex;
pub mod pass;
pub mod position;
pub mod problem;
pub mod pulse;
pub mod resume;
pub mod revocations;
pub mod run;
pub mod scope;
mod serve;
mod telemetry;
pub mod token;
pub mod viewer;
mod web;

pub use config::Config;
pub use error::Error;
pub use run::{Deps, run};
