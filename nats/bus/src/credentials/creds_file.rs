//! A credential as a file: the user's JWT and its seed, in the form every NATS client reads.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use nkeys::KeyPair;

use super::{CredentialsError, jwt, secret_file};

/// What a client connects with. Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    jwt: String,
    seed: String,
}

impl Credentials {
    pub(super) fn new(jwt: String, key: &KeyPair) -> Result<Self, CredentialsError> {
        Ok(Self {
            jwt,
            seed: key.seed()?,
        })
    }

    /// Reads a `.creds` file.
    pub fn load(path: &Path) -> Result<Self, CredentialsError> {
        let text = fs::read_to_string(path).map_err(secret_file::failed("read", path))?;
        text.parse()
    }

    /// Writes a `.creds` file that only this user can read, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), CredentialsError> {
        secret_file::write(path, &self.to_text())
    }

    /// The contents of a `.creds` file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { jwt, seed } = self;
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             This key proves an identity. Keep it secret.\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }

    /// Where this user may receive answers, if the JWT says so: for the connection's inboxes.
    #[must_use]
    pub fn inbox_prefix(&self) -> Option<String> {
        jwt::inbox_of(&jwt::claims(&self.jwt)?)
    }

    /// When the server will end the connection, in seconds since the Unix epoch.
    #[must_use]
    pub fn expires(&self) -> Option<u64> {
        jwt::claims(&self.jwt)?["exp"].as_u64()
    }
}

impl FromStr for Credentials {
    type Err = CredentialsError;

    fn from_str(text: &str) -> Result<Self, CredentialsError> {
        let mut values = text
            .split("-----BEGIN ")
            .skip(1)
            .filter_map(|block| block.lines().nth(1));
        let jwt = values.next().map(str::trim).unwrap_or_default();
        let seed = values.next().map(str::trim).unwrap_or_default();
        if jwt::claims(jwt).is_none() {
            return Err(CredentialsError::NotCredentials(
                "the user JWT is missing or damaged",
            ));
        }
        if KeyPair::from_seed(seed).is_err() {
            return Err(CredentialsError::NotCredentials(
                "the seed is missing or damaged",
            ));
        }
        Ok(Self {
            jwt: jwt.to_owned(),
            seed: seed.to_owned(),
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claims = jwt::claims(&self.jwt).unwrap_or_default();
        f.debug_struct("Credentials")
            .field("name", &claims["name"].as_str())
            .finish_non_exhaustive()
    }
}
