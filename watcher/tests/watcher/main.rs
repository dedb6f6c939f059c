//! The watcher against a real nats-server, real folders and the embedded database.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod archive;
mod projection;
mod stage;
mod states;
