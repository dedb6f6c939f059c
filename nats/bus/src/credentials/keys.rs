//! The keys of an installation, and the folder they are kept in.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use nkeys::KeyPair;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::accounts::{exports, imports};
use super::permissions::{SENTINEL_INBOX, agent_template, sentinel};
use super::{Credentials, CredentialsError, Minter, User, jwt, secret_file};

/// Everything an installation signs with. Made once; who has it is the operator.
pub struct Keys {
    seeds: Seeds,
    trust: Trust,
}

/// What nats-server is told: whom it trusts. Holds no seed.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The operator's JWT.
    pub operator: String,
    /// Public key of the system account.
    pub system_account: String,
    /// Every account: public key and JWT.
    pub accounts: Vec<(String, String)>,
    /// The bearer user JWT of connections without credentials.
    pub sentinel: String,
}

/// What is stored: seeds alone, so that JWTs follow when the permissions of a newer version differ.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seeds {
    /// When they were made, in seconds since the Unix epoch: the `iat` of every JWT derived from
    /// them, so that the same keys give the same bytes.
    created: u64,
    operator: String,
    system: String,
    system_user: String,
    account: String,
    agents: String,
    service_signer: String,
    agent_signer: String,
    admin: String,
    submitter: String,
    watcher: String,
    edge: String,
    sentinel: String,
}

impl Keys {
    const FILE: &str = "keys.json";
    const MINTER_FILE: &str = "agents.json";

    /// New keys, kept nowhere.
    pub fn generate() -> Result<Self, CredentialsError> {
        Self::of(Seeds {
            created: now(),
            operator: KeyPair::new_operator().seed()?,
            system: KeyPair::new_account().seed()?,
            system_user: KeyPair::new_user().seed()?,
            account: KeyPair::new_account().seed()?,
            agents: KeyPair::new_account().seed()?,
            service_signer: KeyPair::new_account().seed()?,
            agent_signer: KeyPair::new_account().seed()?,
            admin: KeyPair::new_user().seed()?,
            submitter: KeyPair::new_user().seed()?,
            watcher: KeyPair::new_user().seed()?,
            edge: KeyPair::new_user().seed()?,
            sentinel: KeyPair::new_user().seed()?,
        })
    }

    /// The keys in `folder`, made if there are none. Beside them lie, for processes that need no
    /// more, `<user>.creds` of every [`User`] and `agents.json` for the submitter
    /// ([`Minter::load`]). The folder and all files are for this user alone.
    pub fn open(folder: &Path) -> Result<Self, CredentialsError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(secret_file::failed("create", folder))?;
        let path = folder.join(Self::FILE);
        let keys = match secret_file::read(&path)? {
            Some(text) => Self::parse(&path, &text)?,
            None => Self::create(&path)?,
        };
        for user in User::ALL {
            keys.credentials(user)?
                .save(&folder.join(format!("{}.creds", user.name())))?;
        }
        keys.minter()?.save(&folder.join(Self::MINTER_FILE))?;
        Ok(keys)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, CredentialsError> {
        let malformed = |reason: String| CredentialsError::Malformed {
            path: path.to_owned(),
            reason,
        };
        let seeds = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        Self::of(seeds).map_err(|error| malformed(error.to_string()))
    }

    /// Of two processes that begin at once one wins, and both go on with its keys.
    fn create(path: &Path) -> Result<Self, CredentialsError> {
        let keys = Self::generate()?;
        let text = serde_json::to_string_pretty(&keys.seeds).expect("a struct of texts");
        match secret_file::stage(path, &text)?.persist_noclobber(path) {
            Ok(_) => Ok(keys),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                let text = secret_file::read(path)?.unwrap_or_default();
                Self::parse(path, &text)
            }
            Err(error) => Err(secret_file::failed("write", path)(error.error)),
        }
    }

    fn of(seeds: Seeds) -> Result<Self, CredentialsError> {
        let issued = seeds.created;
        let operator = KeyPair::from_seed(&seeds.operator)?;
        let system = KeyPair::from_seed(&seeds.system)?.public_key();
        let account = KeyPair::from_seed(&seeds.account)?.public_key();
        let service_signer = KeyPair::from_seed(&seeds.service_signer)?;
        let agent_signer = KeyPair::from_seed(&seeds.agent_signer)?;
        let sentinel_user = KeyPair::from_seed(&seeds.sentinel)?.public_key();
        let signed = |by: &KeyPair, subject: &str, name: &str, nats| {
            let (subject, name) = (subject.to_owned(), name.to_owned());
            jwt::sign(
                by,
                &jwt::Claims {
                    subject,
                    name,
                    issued,
                    expires: None,
                    nats,
                },
            )
        };
        let agents = KeyPair::from_seed(&seeds.agents)?.public_key();
        let system_claims = jwt::account(&jwt::Account::default());
        let account_claims = jwt::account(&jwt::Account {
            jetstream: true,
            signing_keys: vec![json!(service_signer.public_key())],
            exports: exports(),
            ..jwt::Account::default()
        });
        let agents_claims = jwt::account(&jwt::Account {
            signing_keys: vec![jwt::scoped_key(&agent_signer, "agent", &agent_template())],
            imports: imports(&account),
            ..jwt::Account::default()
        });
        let trust = Trust {
            operator: signed(
                &operator,
                &operator.public_key(),
                "aideator",
                jwt::operator(&system),
            )?,
            accounts: vec![
                (
                    system.clone(),
                    signed(&operator, &system, "SYS", system_claims)?,
                ),
                (
                    account.clone(),
                    signed(&operator, &account, "AIDEATOR", account_claims)?,
                ),
                (
                    agents.clone(),
                    signed(&operator, &agents, "AGENTS", agents_claims)?,
                ),
            ],
            sentinel: signed(
                &service_signer,
                &sentinel_user,
                "sentinel",
                jwt::user(Some(&account), SENTINEL_INBOX, &sentinel(), true),
            )?,
            system_account: system,
        };
        Ok(Self { seeds, trust })
    }

    /// What nats-server has to be told.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The user JWT of connections without credentials; it needs no seed.
    #[must_use]
    pub fn sentinel(&self) -> &str {
        &self.trust.sentinel
    }

    /// The credential of a service.
    pub fn credentials(&self, user: User) -> Result<Credentials, CredentialsError> {
        let seed = match user {
            User::Admin => &self.seeds.admin,
            User::Submitter => &self.seeds.submitter,
            User::Watcher => &self.seeds.watcher,
            User::Edge => &self.seeds.edge,
        };
        let key = KeyPair::from_seed(seed)?;
        let account = KeyPair::from_seed(&self.seeds.account)?.public_key();
        let nats = jwt::user(
            Some(&account),
            &user.inbox_prefix(),
            &user.permissions(),
            false,
        );
        self.user(
            &KeyPair::from_seed(&self.seeds.service_signer)?,
            &key,
            user.name(),
            nats,
        )
    }

    /// A credential of the system account: may ask the server about itself (`$SYS.REQ.…`).
    pub fn system(&self) -> Result<Credentials, CredentialsError> {
        let key = KeyPair::from_seed(&self.seeds.system_user)?;
        let signer = KeyPair::from_seed(&self.seeds.system)?;
        let everything = jwt::user(None, "_INBOX", &User::Admin.permissions(), false);
        self.user(&signer, &key, "system", everything)
    }

    fn user(
        &self,
        signer: &KeyPair,
        key: &KeyPair,
        name: &str,
        nats: serde_json::Value,
    ) -> Result<Credentials, CredentialsError> {
        let claims = jwt::Claims {
            subject: key.public_key(),
            name: name.to_owned(),
            issued: self.seeds.created,
            expires: None,
            nats,
        };
        Credentials::new(jwt::sign(signer, &claims)?, key)
    }

    /// What makes the credentials of agents.
    pub fn minter(&self) -> Result<Minter, CredentialsError> {
        let agents = KeyPair::from_seed(&self.seeds.agents)?.public_key();
        Ok(Minter::new(
            agents,
            KeyPair::from_seed(&self.seeds.agent_signer)?,
        ))
    }
}

pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
