//! Credentials of agents, one an attempt.

use std::fs;
use std::path::Path;

use aideator_contract::{Attempt, RunId, Timestamp, Variation};
use nkeys::KeyPair;
use serde::{Deserialize, Serialize};

use super::permissions::{agent_inbox, agent_tags};
use super::{Credentials, CredentialsError, jwt, keys, secret_file};

/// What the submitter holds to make the credentials of agents. Whoever has it can speak for any
/// variation, and do nothing else.
pub struct Minter {
    account: String,
    signer: KeyPair,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    account: String,
    seed: String,
}

impl Minter {
    pub(super) fn new(account: String, signer: KeyPair) -> Self {
        Self { account, signer }
    }

    /// Reads the file that [`Keys::open`](super::Keys::open) left for the submitter.
    pub fn load(path: &Path) -> Result<Self, CredentialsError> {
        let text = fs::read_to_string(path).map_err(secret_file::failed("read", path))?;
        let stored: Stored =
            serde_json::from_str(&text).map_err(|error| CredentialsError::Malformed {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            account: stored.account,
            signer: KeyPair::from_seed(&stored.seed)?,
        })
    }

    /// What [`Minter::load`] reads: the contents of `agents.json`.
    pub fn to_text(&self) -> Result<String, CredentialsError> {
        let stored = Stored {
            account: self.account.clone(),
            seed: self.signer.seed()?,
        };
        Ok(serde_json::to_string_pretty(&stored).expect("two texts"))
    }

    /// A credential that can write the output and the reports of one variation, read its
    /// `.attempt` and its last `.out`, hear its control subject and nothing else, until `expires`.
    /// That an older attempt can't write is the fence's work, not the credential's.
    pub fn agent(
        &self,
        run: &RunId,
        variation: Variation,
        attempt: Attempt,
        expires: Timestamp,
    ) -> Result<Credentials, CredentialsError> {
        let user = KeyPair::new_user();
        let claims = jwt::Claims {
            subject: user.public_key(),
            name: format!("agent {run}.{variation}.{attempt}"),
            issued: keys::now(),
            expires: Some(expires.millis().div_ceil(1000)),
            nats: jwt::scoped_user(
                &self.account,
                &agent_inbox(run, variation),
                &agent_tags(run, variation),
            ),
        };
        Credentials::new(jwt::sign(&self.signer, &claims)?, &user)
    }
}
