//! The seeds of an installation's keys. They alone are kept, so that JWTs follow when the
//! permissions of a newer version differ.

use nkeys::KeyPair;
use serde::{Deserialize, Serialize};

use super::{User, keys};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seeds {
    /// When they were made, in seconds since the Unix epoch: the `iat` of every JWT derived from
    /// them, so that the same keys give the same bytes.
    pub(super) created: u64,
    pub(super) operator: String,
    pub(super) system: String,
    pub(super) system_user: String,
    pub(super) account: String,
    pub(super) agents: String,
    // Folders made before an account or a user was there get it when they are opened.
    #[serde(default = "account")]
    pub(super) edges: String,
    #[serde(default = "account")]
    pub(super) clients: String,
    service_signer: String,
    agent_signer: String,
    /// Those of the next rotation. The server trusts them before they are used, so that it does
    /// not matter who is restarted first.
    #[serde(default = "Signers::generate")]
    next: Signers,
    /// Those before the last rotation, until it is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retired: Option<Signers>,
    admin: String,
    submitter: String,
    watcher: String,
    edge: String,
    #[serde(default = "user")]
    client: String,
    pub(super) sentinel: String,
}

/// Signing keys.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signers {
    /// Of every user but agents.
    pub(super) service: String,
    /// Of agents.
    pub(super) agent: String,
}

impl Signers {
    fn generate() -> Self {
        Self {
            service: account(),
            agent: account(),
        }
    }
}

impl Seeds {
    pub(super) fn generate() -> Self {
        Self {
            created: keys::now(),
            operator: seed(&KeyPair::new_operator()),
            system: account(),
            system_user: user(),
            account: account(),
            agents: account(),
            edges: account(),
            clients: account(),
            service_signer: account(),
            agent_signer: account(),
            next: Signers::generate(),
            retired: None,
            admin: user(),
            submitter: user(),
            watcher: user(),
            edge: user(),
            client: user(),
            sentinel: user(),
        }
    }

    /// Goes on with the next signing keys and new users. The signing keys before them stay
    /// trusted until [`finish`](Self::finish). False, and nothing is changed, while they are.
    pub(super) fn rotate(&mut self) -> bool {
        if self.retired.is_some() {
            return false;
        }
        let next = std::mem::replace(&mut self.next, Signers::generate());
        self.retired = Some(Signers {
            service: std::mem::replace(&mut self.service_signer, next.service),
            agent: std::mem::replace(&mut self.agent_signer, next.agent),
        });
        for user in User::ALL {
            *self.user_mut(user) = self::user();
        }
        self.sentinel = self::user();
        true
    }

    /// Trusts the signing keys before the last rotation no longer. False if none were.
    pub(super) fn finish(&mut self) -> bool {
        self.retired.take().is_some()
    }

    /// Signs every user but agents.
    pub(super) fn service_signer(&self) -> &str {
        &self.service_signer
    }

    /// Signs agents.
    pub(super) fn agent_signer(&self) -> &str {
        &self.agent_signer
    }

    /// Whose signatures on every user but agents are trusted.
    pub(super) fn service_signers(&self) -> impl Iterator<Item = &str> {
        let others = self.other_signers().map(|signers| signers.service.as_str());
        [self.service_signer()].into_iter().chain(others)
    }

    /// Whose signatures on agents are trusted.
    pub(super) fn agent_signers(&self) -> impl Iterator<Item = &str> {
        let others = self.other_signers().map(|signers| signers.agent.as_str());
        [self.agent_signer()].into_iter().chain(others)
    }

    fn other_signers(&self) -> impl Iterator<Item = &Signers> {
        [&self.next].into_iter().chain(&self.retired)
    }

    pub(super) fn user(&self, user: User) -> &str {
        match user {
            User::Admin => &self.admin,
            User::Submitter => &self.submitter,
            User::Watcher => &self.watcher,
            User::Edge => &self.edge,
            User::Client => &self.client,
        }
    }

    fn user_mut(&mut self, user: User) -> &mut String {
        match user {
            User::Admin => &mut self.admin,
            User::Submitter => &mut self.submitter,
            User::Watcher => &mut self.watcher,
            User::Edge => &mut self.edge,
            User::Client => &mut self.client,
        }
    }

    /// The account a user is in.
    pub(super) fn account_of(&self, user: User) -> &str {
        match user {
            User::Admin | User::Submitter | User::Watcher => &self.account,
            User::Edge => &self.edges,
            User::Client => &self.clients,
        }
    }
}

fn account() -> String {
    seed(&KeyPair::new_account())
}

fn user() -> String {
    seed(&KeyPair::new_user())
}

fn seed(key: &KeyPair) -> String {
    key.seed().expect("a key that was just made has its seed")
}
