//! Everything that can go wrong between this process and NATS.

use thiserror::Error;

/// Why an exchange with the server brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Away {
    /// No answer came in time. What was asked may have happened.
    #[error("no answer in time")]
    Timeout,
    /// The connection is down, or went down while an answer was awaited. What was asked may have happened.
    #[error("the connection is down")]
    Disconnected,
    /// Nobody listens: the stream or service is not there, or JetStream is not ready yet. Nothing happened.
    #[error("nobody answers there")]
    NoResponders,
}

/// What the bus could not do.
#[derive(Debug, Error)]
pub enum Error {
    /// The first connection did not come about in the time the caller gave.
    #[error("can't connect to NATS at {url}")]
    Connect {
        /// Where to.
        url: String,
        /// What the last try said.
        #[source]
        source: async_nats::ConnectError,
    },
    /// The server does not accept who we say we are.
    #[error("NATS at {url} refuses these credentials")]
    Unauthorized {
        /// Which server.
        url: String,
    },
    /// The credentials are not a creds file (user JWT and seed).
    #[error("credentials can't be read")]
    Credentials(#[source] std::io::Error),
    /// No answer; worth another try.
    #[error("NATS is unreachable while {doing}: {away}")]
    Unreachable {
        /// What was being done.
        doing: String,
        /// How it is away.
        #[source]
        away: Away,
    },
    /// The server does not let us use a subject.
    #[error("NATS does not permit us to use {subject}")]
    Refused {
        /// The subject.
        subject: String,
    },
    /// JetStream answered with an error.
    #[error("JetStream says while {doing}: {text} ({code})")]
    Server {
        /// What was being done.
        doing: String,
        /// JetStream's own error code (`err_code`), 0 when it gave none.
        code: u16,
        /// Its words.
        text: String,
    },
    /// A stream exists with a property that the server can't change.
    #[error(
        "stream {stream} has {field} {found} where {wanted} is declared, and the server can't change that: {text}"
    )]
    StreamDiffers {
        /// The stream.
        stream: String,
        /// The property, as JetStream spells it.
        field: String,
        /// The declared value.
        wanted: String,
        /// The value the server has.
        found: String,
        /// The server's words.
        text: String,
    },
    /// A service answered with an error of its own.
    #[error("{text} ({code})")]
    Service {
        /// The service's code, as in HTTP.
        code: u16,
        /// Its words.
        text: String,
    },
    /// An answer that is not what the protocol says.
    #[error("an answer while {doing} can't be read: {what}")]
    Malformed {
        /// What was being done.
        doing: String,
        /// What is wrong with it.
        what: String,
    },
    /// The pieces of an object are not what its metadata says, however often they are read: some are gone,
    /// altered, or not on this replica yet.
    #[error("the object {name} is not whole")]
    Torn {
        /// The object.
        name: String,
    },
    /// A message above the server's `max_payload`.
    #[error("the message is larger than the server takes ({limit} bytes)")]
    TooLarge {
        /// The server's limit.
        limit: usize,
    },
}

impl Error {
    pub(crate) fn malformed(doing: &str, what: impl std::fmt::Display) -> Self {
        Self::Malformed {
            doing: doing.to_owned(),
            what: what.to_string(),
        }
    }

    /// Whether what was read is damaged, as far as can be told.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Malformed { .. } | Self::Torn { .. })
    }

    /// Whether the same call may work a moment later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Unreachable { .. } | Self::Torn { .. } => true,
            Self::Server { code, .. } => codes::TRANSIENT.contains(code),
            Self::Unauthorized { .. }
            | Self::Credentials(_)
            | Self::Refused { .. }
            | Self::StreamDiffers { .. }
            | Self::Service { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. } => false,
        }
    }
}

/// JetStream's error codes that we tell apart (`err_code`, nats-server `errors.json`).
pub(crate) mod codes {
    pub(crate) const CLUSTER_NOT_AVAILABLE: u16 = 10008;
    pub(crate) const INSUFFICIENT_RESOURCES: u16 = 10023;
    /// No server of the cluster may hold the stream.
    pub(crate) const NO_SUITABLE_PEERS: u16 = 10005;
    pub(crate) const NO_MESSAGE_FOUND: u16 = 10037;
    pub(crate) const CONSUMER_NOT_FOUND: u16 = 10014;
    pub(crate) const STORAGE_EXCEEDED: u16 = 10047;
    pub(crate) const MESSAGE_TOO_LARGE: u16 = 10054;
    pub(crate) const STREAM_NOT_FOUND: u16 = 10059;
    pub(crate) const WRONG_LAST_SEQUENCE: u16 = 10071;
    pub(crate) const NOT_ENABLED: u16 = 10076;
    pub(crate) const STORE_FAILED: u16 = 10077;
    /// "duplicate message id is in process": its first copy is not decided yet.
    pub(crate) const DUPLICATE_IN_PROCESS: u16 = 10158;
    pub(crate) const UNDECIDED: u16 = 10164;
    pub(crate) const TOO_MANY_REQUESTS: u16 = 10167;

    pub(crate) const TRANSIENT: [u16; 5] = [
        CLUSTER_NOT_AVAILABLE,
        NOT_ENABLED,
        DUPLICATE_IN_PROCESS,
        UNDECIDED,
        TOO_MANY_REQUESTS,
    ];
}
