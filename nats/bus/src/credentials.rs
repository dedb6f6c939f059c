//! Who may do what on NATS: keys of our own operator, made once and kept in a folder, and the
//! user JWTs signed with them.
//!
//! Services and scripts get a user each ([`User`]); locally who brings no credential is let in
//! as the sentinel, a client without a key ([`Trust`]); every attempt of an agent gets a
//! credential of its own ([`Minter::agent`]) from a *scoped* signing key, whose permissions the
//! account states as a template over the run and the variation, so that not even a stolen
//! signing key makes a credential that can do more. What a user may do is said in `permissions.rs`,
//! which accounts there are and why in `accounts.rs`.

mod accounts;
mod creds_file;
mod folder;
mod jwt;
mod keys;
mod minter;
mod permissions;
mod secret_file;
mod seeds;
mod trust;

pub use creds_file::Credentials;
pub use keys::Keys;
pub use minter::Minter;
pub use permissions::User;
pub use trust::Trust;

use std::path::PathBuf;

/// Why credentials could not be made, read or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// A file or folder could not be read or written.
    #[error("can't {action} {}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file with secrets can be read by other users of this machine.
    #[error(
        "{} can be read by others (mode {mode:03o}); if nobody did, run: chmod 600 {}",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file of keys is not one.
    #[error("{} holds no keys of AIdeator: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There are no keys to be changed.
    #[error("there are no keys in {}", folder.display())]
    NoKeys {
        /// Where they were looked for.
        folder: PathBuf,
    },
    /// Two rotations at once would end the first before everybody has its new keys.
    #[error("the keys in {} are being rotated already; finish that first", folder.display())]
    Rotating {
        /// Where they are.
        folder: PathBuf,
    },
    /// A text is not a credential (a user JWT with its seed).
    #[error("not NATS credentials: {0}")]
    NotCredentials(&'static str),
    /// A seed is damaged or of another kind.
    #[error("unusable NATS key")]
    Key(#[from] nkeys::error::Error),
}
