//! The brain and its hands against a real nats-server.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod endings;
mod modes;
mod process;
mod world;
