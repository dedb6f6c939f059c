//! The submitter against a real nats-server, with a launcher in memory.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod commands;
mod launcher;
mod queue;
mod requests;
mod restarts;
mod rpc;
mod scene;
mod watcher;
