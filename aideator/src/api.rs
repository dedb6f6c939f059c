//! The client of AIdeator's HTTP API.

mod client;
mod follow;
mod problem;
mod sse;

pub(crate) use client::Client;
pub(crate) use follow::{Follow, Told};
pub(crate) use problem::Problem;
