//! The bus against a real nats-server.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod append;
mod cluster;
mod connect;
mod consume;
mod live;
mod object;
mod open;
mod read;
mod revoked;
mod service;
mod streams;

use std::future::Future;
use std::time::Duration;

use aideator_bus::server::testing::TestServer;
use aideator_bus::{Append, Bus, Connect, Declared};
use aideator_contract::{RunId, Subject, Variation};
use bytes::Bytes;

/// A server with our streams, and a connection to it.
async fn begin() -> (TestServer, Bus) {
    let server = TestServer::start().await;
    let bus = connect(&server).await;
    bus.ensure(&declared()).await.unwrap();
    (server, bus)
}

async fn connect(server: &TestServer) -> Bus {
    Bus::connect(Connect::new(server.url(), "test"))
        .await
        .unwrap()
}

fn declared() -> Declared {
    Declared {
        duplicate_window: Duration::from_secs(1),
        ..Declared::default()
    }
}

fn run(name: &str) -> RunId {
    name.parse().unwrap()
}

fn variation(index: usize) -> Variation {
    Variation::at(index).unwrap()
}

fn out(name: &str, index: usize) -> Subject {
    Subject::out(&run(name), variation(index))
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Appends without conditions and returns the sequence.
async fn put(bus: &Bus, subject: &Subject, payload: &str) -> u64 {
    bus.append(subject, text(payload), Append::default())
        .await
        .unwrap()
        .sequence
}

/// The future's value, which is due within ten seconds.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future)
        .await
        .expect("it takes too long")
}
