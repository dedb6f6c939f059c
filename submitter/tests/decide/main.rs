//! The submitter's decisions, one by one and driven through random schedules.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod command;
mod launch;
mod model;
mod request;
mod schedule;
mod stop;
mod values;
