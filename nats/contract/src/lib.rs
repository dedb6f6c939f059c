//! The contract of AIdeator: what travels over NATS and HTTP, as types that cannot be wrong.
//!
//! It never does I/O and names no runtime, client or server: a type here is parsed at a
//! boundary once and trusted inside. Start reading at [`subject`] (where things are), then
//! [`request`] (what people send), [`summary`] (the life of a run) and [`event`] (what agents say).

#![warn(missing_docs)]

pub mod attempt;
pub mod canonical;
pub mod cluster;
pub mod control;
pub mod dead_letter;
pub mod event;
pub mod ids;
pub mod limits;
pub mod local;
pub mod queue;
pub mod reason;
pub mod report;
pub mod repository;
pub mod request;
pub mod schema;
pub mod spec;
pub mod startup;
pub mod state;
pub mod state_log;
pub mod subject;
pub mod summary;
pub mod time;
pub mod token;
pub mod usage;
pub mod view;

pub use attempt::AttemptRecord;
pub use dead_letter::DeadLetter;
pub use event::{Event, OutMessage};
pub use ids::{Attempt, RunId, Variation};
pub use reason::{Code, Reason};
pub use report::{Outcome, Report, ReportMessage};
pub use spec::{AttemptSpec, Mode, RunSpec, Source, VariationSpec};
pub use startup::Startup;
pub use state::State;
pub use state_log::{Change, StateMessage};
pub use subject::Subject;
pub use summary::{Status, Summary, VariationSummary};
pub use time::Timestamp;
pub use token::{Revocation, TokenId};
pub use usage::{Digest, Usage, UsageSource};

/// The version every message carries as `v`. A reader passes on what is newer and never fails on it.
pub const VERSION: u32 = 1;
