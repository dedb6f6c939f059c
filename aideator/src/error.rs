//! Everything that ends a command badly.

use std::io;
use std::path::PathBuf;

use aideator_bus::Error as Bus;
use aideator_contract::Reason;

use crate::api::Problem;
use crate::exit::Exit;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What was typed can't be used.
    #[error("{0}")]
    Usage(String),
    /// The server said no.
    #[error("{0}")]
    Problem(Problem),
    /// The server does not answer.
    #[error("can't reach AIdeator at {server}: {why}\nis it running? start it with: aideator up")]
    Unreachable {
        /// Where it was looked for.
        server: String,
        /// What happened instead.
        why: String,
    },
    /// No server is known.
    #[error("no AIdeator runs in {}\nstart one with: aideator up\nor name one with --server http://host:port", data_dir.display())]
    NotRunning {
        /// The data directory that was asked.
        data_dir: PathBuf,
    },
    /// The server answered something else than the contract says.
    #[error("an answer of {server} can't be read; is it of another version?")]
    Answer {
        /// Who answered.
        server: String,
        /// What is wrong with the answer.
        #[source]
        source: serde_json::Error,
    },
    /// A model's name or a repository can't be used.
    #[error(transparent)]
    Reason(#[from] Reason),
    /// A file or folder could not be used.
    #[error("can't {action} {}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Standard output or input failed.
    #[error("can't {0}")]
    Terminal(&'static str, #[source] io::Error),
    /// Another `up` holds the data directory.
    #[error("AIdeator is already running in {}{at}; stop it first, or choose another directory with --data-dir", data_dir.display())]
    AlreadyRunning {
        /// The directory.
        data_dir: PathBuf,
        /// Who holds it, for people: ` (process 12, http://…)`.
        at: String,
    },
    /// Another process is this part of a data directory.
    #[error("a {part} already runs in {}, and there may be only one; stop it first, or choose another directory with --data-dir", data_dir.display())]
    PartRuns {
        /// Which part.
        part: &'static str,
        /// The directory.
        data_dir: PathBuf,
    },
    /// There is no address to listen on.
    #[error("no address for {what}; choose another with {option}, or port 0 for a free one")]
    Taken {
        /// For whom.
        what: &'static str,
        /// The option that chooses.
        option: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// nats-server can't be had.
    #[error(transparent)]
    NatsServer(#[from] aideator_bus::server::ServerError),
    /// Keys can't be had.
    #[error(transparent)]
    Credentials(#[from] aideator_bus::credentials::CredentialsError),
    /// NATS can't be used.
    #[error(transparent)]
    Bus(#[from] aideator_bus::Error),
    /// A part ended with an error.
    #[error("the {part} failed")]
    Part {
        /// Which part.
        part: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A part ended although nobody asked it to.
    #[error("the {0} ended by itself")]
    PartEnded(&'static str),
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// The exit code that tells it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_)
            | Self::Reason(_)
            | Self::AlreadyRunning { .. }
            | Self::PartRuns { .. }
            | Self::Taken { .. } => Exit::Refused,
            Self::Problem(problem) if problem.is_ours() => Exit::Refused,
            Self::Bus(Bus::Service {
                code: 400..=499, ..
            }) => Exit::Refused,
            Self::Unreachable { .. }
            | Self::NotRunning { .. }
            | Self::Bus(Bus::Connect { .. } | Bus::Unreachable { .. }) => Exit::Unreachable,
            // Who reads our output has seen enough (`| head`).
            Self::Terminal(_, error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Success,
            Self::Problem(_)
            | Self::Answer { .. }
            | Self::File { .. }
            | Self::Terminal(..)
            | Self::NatsServer(_)
            | Self::Credentials(_)
            | Self::Bus(_)
            | Self::Part { .. }
            | Self::PartEnded(_)
            | Self::Internal(_) => Exit::Failed,
        }
    }

    /// The error and what led to it, for people.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        text
    }

    /// An error of listening for `what`, whose address `option` chooses.
    pub(crate) fn taken(
        what: &'static str,
        option: &'static str,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Taken {
            what,
            option,
            source,
        }
    }

    /// An error of the file system while doing `action` with `path`.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_tells_refused_from_unreachable() {
        assert_eq!(Error::Usage("x".into()).exit(), Exit::Refused);
        assert_eq!(Error::Problem(Problem::read(404, "")).exit(), Exit::Refused);
        assert_eq!(Error::Problem(Problem::read(503, "")).exit(), Exit::Failed);
        let away = Error::Unreachable {
            server: "http://a".into(),
            why: "refused".into(),
        };
        assert_eq!(away.exit(), Exit::Unreachable);
    }

    #[test]
    fn over_nats_it_does_so_too() {
        let unanswered = Bus::Unreachable {
            doing: "asking".into(),
            away: aideator_bus::Away::NoResponders,
        };
        assert_eq!(Error::from(unanswered).exit(), Exit::Unreachable);
        for (code, exit) in [
            (400, Exit::Refused),
            (499, Exit::Refused),
            (500, Exit::Failed),
        ] {
            let answer = Bus::Service {
                code,
                text: "no".into(),
            };
            assert_eq!(Error::from(answer).exit(), exit);
        }
    }
}
