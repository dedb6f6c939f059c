//! Everything that can go wrong in the watcher, and what to do about it.

use aideator_bus::AppendError;
use aideator_contract::RunId;
use thiserror::Error;

/// What the watcher could not do.
#[derive(Debug, Error)]
pub enum Error {
    /// The configuration can't be used.
    #[error("{0}")]
    Config(String),
    /// NATS could not be asked or did not answer.
    #[error("NATS, while {doing}")]
    Bus {
        /// What was being done.
        doing: &'static str,
        /// What the bus said.
        #[source]
        source: Box<aideator_bus::Error>,
    },
    /// A message could not be appended.
    #[error("NATS, while {doing}")]
    Append {
        /// What was being done.
        doing: &'static str,
        /// What the bus said.
        #[source]
        source: AppendError,
    },
    /// A message of ours is not what it should be.
    #[error("message {sequence} on {subject} can't be read")]
    Unreadable {
        /// Where it is.
        subject: String,
        /// Its sequence.
        sequence: u64,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A state of a version this program does not know: it must not write behind it.
    #[error("run {run} was written by a newer version of AIdeator")]
    Newer {
        /// The run.
        run: RunId,
    },
    /// A run of this id is archived from another stream.
    #[error(
        "run {run} is archived from a stream that was there before; its archive stays as it is"
    )]
    OtherStream {
        /// The run.
        run: RunId,
    },
    /// Others kept writing a run's subjects between our reads and our writes.
    #[error("run {run} changes faster than it can be read")]
    Unsettled {
        /// The run.
        run: RunId,
    },
    /// The projection's database refused.
    #[error("the projection's database, while {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: Box<surrealdb::Error>,
    },
    /// The projection's database gave something else than was put there.
    #[error("the projection's database, while {doing}: a record can't be read")]
    Record {
        /// What was being done.
        doing: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The projection's folder can't be used.
    #[error("the projection's folder can't be used")]
    Folder(#[source] std::io::Error),
}

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The same again, later.
    Retry,
    /// Nothing that this program can do would help.
    GiveUp,
}

impl Error {
    pub(crate) fn bus(doing: &'static str) -> impl FnOnce(aideator_bus::Error) -> Self {
        move |source| Self::Bus {
            doing,
            source: Box::new(source),
        }
    }

    pub(crate) fn append(doing: &'static str) -> impl FnOnce(AppendError) -> Self {
        move |source| Self::Append { doing, source }
    }

    pub(crate) fn database(doing: &'static str) -> impl FnOnce(surrealdb::Error) -> Self {
        move |source| Self::Database {
            doing,
            source: Box::new(source),
        }
    }

    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Self::Config(_)
            | Self::Unreadable { .. }
            | Self::Newer { .. }
            | Self::OtherStream { .. } => Remedy::GiveUp,
            // What the server refuses for good today (a permission, a stream that is not there yet)
            // an operator can mend while we run.
            Self::Bus { .. }
            | Self::Append { .. }
            | Self::Unsettled { .. }
            | Self::Database { .. }
            | Self::Record { .. }
            | Self::Folder(_) => Remedy::Retry,
        }
    }
}
