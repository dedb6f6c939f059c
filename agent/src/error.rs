//! Why an agent ends without a last word.

/// What an agent's process cannot put into its last word, because it has none.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// NATS can't be reached, or does not let this agent in.
    #[error("talking to NATS")]
    Bus(#[source] aideator_bus::Error),
    /// The credentials file can't be read.
    #[error("reading the credentials {path}")]
    CredentialsFile {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The credentials file holds no credentials.
    #[error("understanding the credentials")]
    Credentials(#[source] aideator_bus::credentials::CredentialsError),
    /// The attempt never appeared.
    #[error("the attempt was not opened in time")]
    NotOpened,
    /// Nothing more can be published.
    #[error(transparent)]
    Ended(#[from] aideator_bus::publisher::Ended),
    /// The workspace, a signal handler or a socket can't be set up.
    #[error("preparing to work")]
    Setup(#[source] std::io::Error),
    /// It was told to end from outside. What it had done is stored, with a last word if it had begun.
    #[error("told to end from outside")]
    Terminated,
    /// What the agent says can't be printed.
    #[error("printing")]
    Printing(#[source] std::io::Error),
    /// NATS stayed out of reach when the last word was to be given.
    #[error("the last word was not heard")]
    NotHeard,
}
