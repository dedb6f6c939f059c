//! Why an edge can't run.

use std::net::SocketAddr;

use thiserror::Error;

/// Why an edge can't run.
#[derive(Debug, Error)]
pub enum Error {
    /// Others could reach it, and nothing would keep them out.
    #[error(
        "the edge can be reached from elsewhere on {0}: give it a secret (--secret or AIDEATOR_SECRET) or a token (--token or AIDEATOR_TOKEN), or let it listen on 127.0.0.1"
    )]
    TokenNeeded(SocketAddr),
    /// Its socket failed.
    #[error("the edge's socket failed")]
    Socket(#[source] std::io::Error),
}
