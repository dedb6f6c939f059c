//! The edge beside other servers of event streams, run alternately on one machine, with one client and one
//! payload; and the parts of it that other measurements of the edge share: processes, servers, viewers,
//! figures, the sections of the results.
//!
//! It starts built programs, speaks HTTP and NATS like anybody, on loopback only, and writes one table. It
//! never decides whether a figure is good. It names neither the edge's crate nor the watcher's, so that it is
//! built in a minute. Start reading at `load.rs`; the client is `crowd.rs`, the servers are `server.rs`.

pub mod bare;
pub mod crowd;
pub mod figures;
mod http;
pub mod instance;
pub mod load;
pub mod measures;
pub mod options;
pub mod pace;
pub mod process;
pub mod quiet;
pub mod response;
pub mod results;
pub mod round;
pub mod runs;
pub mod server;
pub mod sse;
pub mod stamp;
mod table;
pub mod tally;
pub mod viewer;
