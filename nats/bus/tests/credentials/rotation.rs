//! New signing keys, and the old ones removed, while nats-server is restarted in between.

use std::fs;
use std::path::PathBuf;

use aideator_bus::credentials::{Credentials, CredentialsError, Keys, Minter, User};
use aideator_bus::server::{Auth, Binary, Server, ServerConfig};
use aideator_bus::{Append, Bus, Connect, Declared, Error};
use aideator_contract::{Attempt, Subject};

use crate::{LIMIT, later, run, variation};

/// An installation whose keys are in a folder.
struct Place {
    folder: tempfile::TempDir,
    config: ServerConfig,
    running: Option<Server>,
}

impl Place {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = ServerConfig::local(folder.path().join("nats"), Auth::Open);
        let mut place = Self {
            folder,
            config,
            running: None,
        };
        place.restart().await;
        let submitter = place.connect(&place.user(User::Submitter)).await.unwrap();
        submitter.ensure(&Declared::default()).await.unwrap();
        place
    }

    fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// nats-server again, told what the folder says now.
    async fn restart(&mut self) {
        if let Some(server) = self.running.take() {
            server.stop(LIMIT).await;
        }
        let trust = Keys::open(&self.keys()).unwrap().trust().clone();
        self.config.auth = Auth::Operator(trust);
        let binary = Binary::find(None, None).await.unwrap();
        let server = Server::start(&binary, &self.config, LIMIT).await.unwrap();
        self.config.listen = server.address();
        self.running = Some(server);
    }

    async fn connect(&self, credentials: &Credentials) -> Result<Bus, Error> {
        let url = format!("nats://{}", self.config.listen);
        Bus::connect(Connect::new(url, "test").credentials(credentials.clone())).await
    }

    fn user(&self, user: User) -> Credentials {
        Keys::open(&self.keys()).unwrap();
        Credentials::load(&self.keys().join(format!("{}.creds", user.name()))).unwrap()
    }

    /// A credential as the submitter makes one from its file.
    fn agent(&self) -> Credentials {
        let minter = Minter::load(&self.keys().join("agents.json")).unwrap();
        let agent = minter.agent(&run(), variation(0), Attempt::FIRST, later());
        agent.unwrap()
    }

    fn everybody(&self) -> Vec<Credentials> {
        let users = User::ALL.map(|user| self.user(user));
        users.into_iter().chain([self.agent()]).collect()
    }
}

async fn assert_let_in(place: &Place, who: &[Credentials]) {
    for credentials in who {
        let bus = place.connect(credentials).await;
        assert!(bus.is_ok(), "{credentials:?}: {bus:?}");
    }
}

async fn write(agent: &Bus) -> Result<u64, aideator_bus::AppendError> {
    let out = Subject::out(&run(), variation(0));
    let stored = agent.append(&out, "word".into(), Append::default()).await?;
    Ok(stored.sequence)
}

#[tokio::test]
async fn old_credentials_work_until_the_rotation_is_finished_and_new_ones_from_its_beginning() {
    let mut place = Place::start().await;
    let old = place.everybody();
    let edge = place.connect(&place.user(User::Edge)).await.unwrap();
    let agent = place.connect(old.last().unwrap()).await.unwrap();
    write(&agent).await.unwrap();

    Keys::rotate(&place.keys()).unwrap();
    let new = place.everybody();
    assert!(new.iter().all(|credentials| !old.contains(credentials)));
    // The server is not restarted yet: who is restarted before it gets in all the same.
    assert_let_in(&place, &old).await;
    assert_let_in(&place, &new).await;

    place.restart().await;
    assert_let_in(&place, &old).await;
    assert_let_in(&place, &new).await;
    write(&agent).await.unwrap();
    write(&place.connect(new.last().unwrap()).await.unwrap())
        .await
        .unwrap();
    edge.stream_state("AIDEATOR_RUNS").await.unwrap();

    assert!(Keys::finish_rotation(&place.keys()).unwrap().is_some());
    for (user, credentials) in User::ALL.iter().zip(&new) {
        // Only the server has to be told.
        assert_eq!(&place.user(*user), credentials);
    }
    place.restart().await;
    assert_let_in(&place, &new).await;
    write(&place.connect(new.last().unwrap()).await.unwrap())
        .await
        .unwrap();
    for credentials in &old {
        let bus = place.connect(credentials).await;
        assert!(
            matches!(bus, Err(Error::Unauthorized { .. })),
            "{credentials:?}: {bus:?}"
        );
    }
    // Their connections from before have ended, and they get no other.
    let asked = edge.stream_state("AIDEATOR_RUNS").await;
    assert!(matches!(asked, Err(Error::Refused { .. })), "{asked:?}");
    let written = write(&agent).await;
    assert!(
        matches!(written, Err(aideator_bus::AppendError::Refused(_))),
        "{written:?}"
    );
}

#[tokio::test]
async fn a_folder_made_before_there_were_clients_serves_on() {
    let mut place = Place::start().await;
    let file = place.keys().join("keys.json");
    let mut seeds: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    for later in ["edges", "clients", "client", "next"] {
        assert!(
            seeds.as_object_mut().unwrap().remove(later).is_some(),
            "{later}"
        );
    }
    fs::write(&file, seeds.to_string()).unwrap();
    let agent = place.agent();
    let submitter = Credentials::load(&place.keys().join("submitter.creds")).unwrap();

    place.restart().await;
    assert_let_in(&place, &[agent, submitter]).await;
    assert_let_in(&place, &place.everybody()).await;
    Keys::rotate(&place.keys()).unwrap();
    assert_let_in(&place, &place.everybody()).await;
}

#[test]
fn a_rotation_is_finished_before_the_next_begins() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Keys::rotate(&folder.path().join("none")).err().unwrap();
    assert!(
        matches!(missing, CredentialsError::NoKeys { .. }),
        "{missing}"
    );
    let missing = Keys::finish_rotation(folder.path()).err().unwrap();
    assert!(
        matches!(missing, CredentialsError::NoKeys { .. }),
        "{missing}"
    );

    let first = Keys::open(folder.path()).unwrap().trust().clone();
    assert!(Keys::finish_rotation(folder.path()).unwrap().is_none());
    Keys::rotate(folder.path()).unwrap();
    let again = Keys::rotate(folder.path()).err().unwrap();
    assert!(
        matches!(again, CredentialsError::Rotating { .. }),
        "{again}"
    );
    Keys::finish_rotation(folder.path()).unwrap().unwrap();
    Keys::rotate(folder.path()).unwrap();
    // The operator and the accounts are the same ones: streams and runs stay.
    let last = Keys::open(folder.path()).unwrap().trust().clone();
    assert_eq!(first.operator, last.operator);
    let names = |accounts: Vec<(String, String)>| -> Vec<String> {
        accounts.into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(names(first.accounts), names(last.accounts));
}
