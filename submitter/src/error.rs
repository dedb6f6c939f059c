//! Everything that can go wrong in the submitter, apart from requests that are refused.

use aideator_bus::credentials::CredentialsError;
use aideator_bus::{AppendError, Error as BusError};
use thiserror::Error;

/// What the submitter could not do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading from NATS, or declaring something there.
    #[error("can't {doing}")]
    Bus {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        #[source]
        source: Box<BusError>,
    },
    /// Storing a message.
    #[error("can't store {what}")]
    Append {
        /// What was to be stored.
        what: &'static str,
        /// Why not.
        #[source]
        source: AppendError,
    },
    /// A stored message that is not what its subject says.
    #[error("{subject} holds a message that can't be read")]
    Malformed {
        /// The subject.
        subject: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A replica that answered does not have what the leader has.
    #[error("the state log of run {0} is behind on the replica that was asked")]
    Lags(aideator_contract::RunId),
    /// A credential could not be read or minted.
    #[error("can't make the credential of an agent")]
    Credentials(#[from] CredentialsError),
    /// The configuration can't be used.
    #[error("{0}")]
    Config(String),
}

impl Error {
    /// Whether the same may work a moment later: NATS is away, or its storage is full. Such an
    /// error uses up nothing.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Bus { source, .. } => source.is_transient(),
            Self::Append { source, .. } => source.is_transient(),
            Self::Lags(_) => true,
            Self::Malformed { .. } | Self::Credentials(_) | Self::Config(_) => false,
        }
    }
}

/// Names what was being done with the bus.
pub(crate) fn doing(doing: &'static str) -> impl FnOnce(BusError) -> Error {
    move |source| Error::Bus {
        doing,
        source: Box::new(source),
    }
}
