//! The edge against a real nats-server, as the restricted user it has in production.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod api;
mod archive;
mod client;
mod gaps;
mod guard;
mod load;
mod meters;
mod multiplex;
mod slow;
mod snapshot;
mod socket;
mod stream;
mod token;
mod world;
