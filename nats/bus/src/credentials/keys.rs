//! The keys of an installation, and what is signed with them.

use std::time::{SystemTime, UNIX_EPOCH};

use nkeys::KeyPair;
use serde_json::{Value, json};

use super::accounts::{exports, imports, mappings};
use super::jwt::{self, Account};
use super::permissions::agent_template;
use super::seeds::Seeds;
use super::{Credentials, CredentialsError, Minter, Trust, User};

/// Everything an installation signs with. Made once; who has it is the operator.
pub struct Keys {
    seeds: Seeds,
    trust: Trust,
}

impl Keys {
    /// New keys, kept nowhere. See [`Keys::open`].
    pub fn generate() -> Result<Self, CredentialsError> {
        Self::of(Seeds::generate())
    }

    pub(super) fn of(seeds: Seeds) -> Result<Self, CredentialsError> {
        let trust = trust(&seeds)?;
        Ok(Self { seeds, trust })
    }

    /// What nats-server has to be told.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The credential of a user.
    pub fn credentials(&self, user: User) -> Result<Credentials, CredentialsError> {
        let key = KeyPair::from_seed(self.seeds.user(user))?;
        let jwt = user_jwt(&self.seeds, user, &key, user.name(), false)?;
        Credentials::new(jwt, &key)
    }

    /// A credential of the system account: may ask the server about itself (`$SYS.REQ.…`).
    pub fn system(&self) -> Result<Credentials, CredentialsError> {
        let key = KeyPair::from_seed(&self.seeds.system_user)?;
        let everything = jwt::user(None, "_INBOX", &User::Admin.permissions(), false);
        let signer = KeyPair::from_seed(&self.seeds.system)?;
        let jwt = sign(
            &self.seeds,
            &signer,
            &key.public_key(),
            "system",
            everything,
        )?;
        Credentials::new(jwt, &key)
    }

    /// What makes the credentials of agents.
    pub fn minter(&self) -> Result<Minter, CredentialsError> {
        let signer = KeyPair::from_seed(self.seeds.agent_signer())?;
        Ok(Minter::new(public(&self.seeds.agents)?, signer))
    }
}

fn trust(seeds: &Seeds) -> Result<Trust, CredentialsError> {
    let services = public(&seeds.account)?;
    let service_signers: Vec<Value> = seeds
        .service_signers()
        .map(|seed| Ok(json!(public(seed)?)))
        .collect::<Result<_, CredentialsError>>()?;
    let template = agent_template();
    let agent_signers = seeds
        .agent_signers()
        .map(|seed| Ok(jwt::scoped_key(&public(seed)?, "agent", &template)))
        .collect::<Result<_, CredentialsError>>()?;
    let asking = |user: User| Account {
        signing_keys: service_signers.clone(),
        imports: imports(&services, &user.permissions()),
        ..Account::default()
    };
    let accounts = [
        (&seeds.system, "SYS", Account::default()),
        (
            &seeds.account,
            "AIDEATOR",
            Account {
                jetstream: true,
                signing_keys: service_signers.clone(),
                exports: exports(),
                mappings: mappings(),
                ..Account::default()
            },
        ),
        (
            &seeds.agents,
            "AGENTS",
            Account {
                signing_keys: agent_signers,
                imports: imports(&services, &template),
                ..Account::default()
            },
        ),
        (&seeds.edges, "EDGES", asking(User::Edge)),
        (&seeds.clients, "CLIENTS", asking(User::Client)),
    ];
    let operator = KeyPair::from_seed(&seeds.operator)?;
    let system = public(&seeds.system)?;
    let sentinel = KeyPair::from_seed(&seeds.sentinel)?;
    Ok(Trust {
        operator: sign(
            seeds,
            &operator,
            &operator.public_key(),
            "aideator",
            jwt::operator(&system),
        )?,
        system_account: system,
        accounts: accounts
            .iter()
            .map(|(seed, name, about)| {
                let key = public(seed)?;
                let jwt = sign(seeds, &operator, &key, name, jwt::account(about))?;
                Ok((key, jwt))
            })
            .collect::<Result<_, CredentialsError>>()?,
        // A client without a key.
        sentinel: user_jwt(seeds, User::Client, &sentinel, "sentinel", true)?,
    })
}

fn user_jwt(
    seeds: &Seeds,
    user: User,
    key: &KeyPair,
    name: &str,
    bearer: bool,
) -> Result<String, CredentialsError> {
    let account = public(seeds.account_of(user))?;
    let nats = jwt::user(
        Some(&account),
        &user.inbox_prefix(),
        &user.permissions(),
        bearer,
    );
    let signer = KeyPair::from_seed(seeds.service_signer())?;
    sign(seeds, &signer, &key.public_key(), name, nats)
}

fn sign(
    seeds: &Seeds,
    signer: &KeyPair,
    subject: &str,
    name: &str,
    nats: Value,
) -> Result<String, CredentialsError> {
    let claims = jwt::Claims {
        subject: subject.to_owned(),
        name: name.to_owned(),
        issued: seeds.created,
        expires: None,
        nats,
    };
    jwt::sign(signer, &claims)
}

fn public(seed: &str) -> Result<String, CredentialsError> {
    Ok(KeyPair::from_seed(seed)?.public_key())
}

pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_credential_fits_into_the_line_that_a_server_takes() {
        // Of 4096 bytes the signature of the nonce, the client's name and its options take the rest.
        const ROOM: usize = 3500;
        let keys = Keys::generate().unwrap();
        for user in User::ALL {
            let jwt = keys.credentials(user).unwrap().to_text();
            let jwt = jwt.lines().nth(1).unwrap();
            assert!(jwt.len() < ROOM, "{user:?}: {}", jwt.len());
        }
        assert!(keys.trust().sentinel.len() < ROOM);
    }
}
