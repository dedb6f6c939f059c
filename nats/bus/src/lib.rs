//! The bus of AIdeator: everything that is said to NATS is said here.
//!
//! It is the only crate that names `async-nats`. It knows streams, subjects and sequences and
//! nothing of what the messages mean. It never makes a consumer for a viewer, never deletes a
//! stream, and never waits for an answer without a limit.
//!
//! Start reading at [`Bus::connect`], then [`Bus::append`] (one message, stored once),
//! [`Bus::batch`] (reading without a consumer), [`Bus::live`] (the tail) and [`Bus::consume`]
//! (durable work).

#![warn(missing_docs)]

mod api;
mod append;
pub mod archive;
mod batch;
mod connect;
mod consume;
pub mod credentials;
mod delivery;
mod error;
mod exchange;
mod last;
mod link;
mod live;
mod object;
mod open;
mod probe;
pub mod publisher;
mod pull;
mod request;
mod revoked;
mod scan;
pub mod server;
mod service;
mod stored;
mod stream_state;
mod streams;
mod time;

pub use append::{Append, AppendError, Appended, Expect};
pub use batch::{Batch, Page};
pub use connect::{Bus, Connect};
pub use consume::{Consume, Deliveries};
pub use credentials::Credentials;
pub use delivery::Delivery;
pub use error::{Away, Error};
pub use live::{Live, LiveMessage};
pub use object::{ObjectInfo, Objects};
pub use open::OpenRuns;
pub use probe::answer_probes;
pub use request::{Received, Subscription};
pub use revoked::{ReadUpTo, RevokedTokens};
pub use service::{Endpoint, Question, Refusal, Service, ServiceSpec};
pub use stored::Stored;
pub use stream_state::StreamState;
pub use streams::Declared;
