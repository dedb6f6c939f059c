//! Permissions as the real server enforces them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use aideator_bus::credentials::{Credentials, CredentialsError, Keys, Minter, User};
use aideator_bus::server::testing::TestServer;
use aideator_bus::{Bus, Connect};
use aideator_contract::{Attempt, RunId, Subject, Timestamp, Variation};
use async_nats::jetstream::{self, stream};
use async_nats::{Client, ConnectOptions, Event};
use tokio::sync::mpsc;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(10);

/// A connection that remembers what the server refused.
struct Peer {
    client: Client,
    refusals: mpsc::UnboundedReceiver<String>,
}

impl Peer {
    async fn connect(server: &TestServer, credentials: Option<&Credentials>) -> Self {
        let (sender, refusals) = mpsc::unbounded_channel();
        let mut options = ConnectOptions::new().event_callback(move |event| {
            let sender = sender.clone();
            async move {
                if let Event::ServerError(error) = event {
                    let _ = sender.send(error.to_string());
                }
            }
        });
        if let Some(credentials) = credentials {
            options = options.credentials(&credentials.to_text()).unwrap();
            options = options.custom_inbox_prefix(credentials.inbox_prefix().unwrap());
        }
        let client = options.connect(server.url()).await.unwrap();
        Self { client, refusals }
    }

    /// Whether the server lets this peer publish there. Errors arrive in order, before the PONG.
    async fn may_publish(&mut self, subject: &str) -> bool {
        self.client
            .publish(subject.to_owned(), "x".into())
            .await
            .unwrap();
        self.let_through(subject).await
    }

    async fn may_subscribe(&mut self, subject: &str) -> bool {
        let _subscription = self.client.subscribe(subject.to_owned()).await.unwrap();
        self.let_through(subject).await
    }

    /// A refusal comes back before the answer to the next round trip on the same connection: the
    /// server's own refusal of a subject nobody may use marks the end.
    async fn let_through(&mut self, subject: &str) -> bool {
        const MARK: &str = "$SYS.mark";
        self.client.publish(MARK, "x".into()).await.unwrap();
        self.client.flush().await.unwrap();
        let mut refused = false;
        loop {
            let said = timeout(LIMIT, self.refusals.recv())
                .await
                .expect("the mark is refused")
                .unwrap();
            let said = said.to_lowercase();
            if said.contains(&MARK.to_lowercase()) {
                return !refused;
            }
            assert!(said.contains(&subject.to_lowercase()), "{said}");
            refused = true;
        }
    }
}

async fn server_with_runs() -> (TestServer, jetstream::Context) {
    let server = TestServer::start_with_operator().await;
    let admin = Peer::connect(&server, server.credentials(User::Admin).as_ref()).await;
    let jetstream = jetstream::new(admin.client);
    let config = stream::Config {
        name: "AIDEATOR_RUNS".to_owned(),
        subjects: vec!["aideator.runs.>".to_owned()],
        allow_direct: true,
        republish: Some(stream::Republish {
            source: "aideator.runs.>".to_owned(),
            destination: "aideator.live.>".to_owned(),
            headers_only: false,
        }),
        ..Default::default()
    };
    jetstream.create_stream(config).await.unwrap();
    (server, jetstream)
}

fn run() -> RunId {
    "r-1".parse().unwrap()
}

fn variation(index: usize) -> Variation {
    Variation::at(index).unwrap()
}

fn later() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now() + Duration::from_secs(600))
}

fn agent_of(server: &TestServer) -> Credentials {
    server
        .keys()
        .minter()
        .unwrap()
        .agent(&run(), variation(0), Attempt::FIRST, later())
        .unwrap()
}

#[tokio::test]
async fn an_agent_writes_its_own_variation_and_nothing_else() {
    let (server, _) = server_with_runs().await;
    let mut agent = Peer::connect(&server, Some(&agent_of(&server))).await;
    let direct = |subject: &Subject| format!("$JS.API.DIRECT.GET.AIDEATOR_RUNS.{subject}");
    let other: RunId = "r-2".parse().unwrap();
    for allowed in [
        Subject::out(&run(), variation(0)).to_string(),
        Subject::report(&run(), variation(0)).to_string(),
        direct(&Subject::attempt(&run(), variation(0))),
        direct(&Subject::out(&run(), variation(0))),
    ] {
        assert!(agent.may_publish(&allowed).await, "{allowed}");
    }
    for refused in [
        Subject::out(&run(), variation(1)).as_str(),
        Subject::out(&other, variation(0)).as_str(),
        Subject::attempt(&run(), variation(0)).as_str(),
        Subject::state(&run()).as_str(),
        &direct(&Subject::attempt(&run(), variation(1))),
        &direct(&Subject::state(&run())),
        "$JS.API.DIRECT.GET.AIDEATOR_RUNS",
        "$JS.API.STREAM.MSG.GET.AIDEATOR_RUNS",
        "$JS.API.STREAM.INFO.AIDEATOR_RUNS",
        "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS",
        "aideator.requests.run",
        "aideator.rpc.run",
        "aideator.control.r-1.0",
        "aideator.live.r-1.0.out",
        "_INBOX.x",
    ] {
        assert!(!agent.may_publish(refused).await, "{refused}");
    }
    assert!(
        agent
            .may_subscribe(Subject::control(&run(), variation(0)).as_str())
            .await
    );
    assert!(agent.may_subscribe("_INBOX_r-1_0.>").await);
    for refused in [
        "_INBOX.>",
        "_INBOX_r-1_1.>",
        "aideator.live.>",
        "aideator.runs.>",
        "aideator.control.r-1.1",
        ">",
    ] {
        assert!(!agent.may_subscribe(refused).await, "{refused}");
    }
}

#[tokio::test]
async fn an_agent_gets_its_acks_and_reads_its_attempt() {
    let (server, admin) = server_with_runs().await;
    let attempt = Subject::attempt(&run(), variation(0)).to_string();
    admin
        .publish(attempt.clone(), "opened".into())
        .await
        .unwrap()
        .await
        .unwrap();
    let agent = Peer::connect(&server, Some(&agent_of(&server))).await;
    let out = Subject::out(&run(), variation(0)).to_string();
    let ack = jetstream::new(agent.client.clone())
        .publish(out, "hello".into())
        .await
        .unwrap()
        .await;
    assert_eq!(ack.unwrap().sequence, 2);
    let got = agent
        .client
        .request(
            format!("$JS.API.DIRECT.GET.AIDEATOR_RUNS.{attempt}"),
            "".into(),
        )
        .await
        .unwrap();
    assert_eq!(got.payload, "opened");
}

#[tokio::test]
async fn an_agent_hears_the_submitter() {
    let (server, _) = server_with_runs().await;
    let submitter = Peer::connect(&server, server.credentials(User::Submitter).as_ref()).await;
    let agent = Peer::connect(&server, Some(&agent_of(&server))).await;
    let mine = Subject::control(&run(), variation(0)).to_string();
    let mut orders = agent.client.subscribe(mine.clone()).await.unwrap();
    // The server knows the subscription when it has answered what came after it.
    let read = format!(
        "$JS.API.DIRECT.GET.AIDEATOR_RUNS.{}",
        Subject::attempt(&run(), variation(0))
    );
    agent.client.request(read, "".into()).await.unwrap();
    submitter
        .client
        .publish(mine, "cancel".into())
        .await
        .unwrap();
    let order = timeout(LIMIT, futures::StreamExt::next(&mut orders))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(order.payload, "cancel");
}

#[tokio::test]
async fn the_connection_of_an_agent_ends_when_its_credential_does() {
    let (server, _) = server_with_runs().await;
    let soon = Timestamp::from(std::time::SystemTime::now() + Duration::from_secs(1));
    let agent = server
        .keys()
        .minter()
        .unwrap()
        .agent(&run(), variation(0), Attempt::FIRST, soon)
        .unwrap();
    let mut agent = Peer::connect(&server, Some(&agent)).await;
    let said = timeout(LIMIT, agent.refusals.recv())
        .await
        .unwrap()
        .unwrap();
    assert!(said.to_lowercase().contains("expired"), "{said}");
}

#[tokio::test]
async fn the_edge_reads_and_asks_and_makes_no_consumer() {
    let (server, _) = server_with_runs().await;
    let mut edge = Peer::connect(&server, server.credentials(User::Edge).as_ref()).await;
    for allowed in [
        "aideator.requests.run",
        "aideator.rpc.runs.list",
        "$JS.API.STREAM.INFO.AIDEATOR_RUNS",
        "$JS.API.STREAM.MSG.GET.AIDEATOR_RUNS",
        "$JS.API.DIRECT.GET.AIDEATOR_RUNS",
        "$JS.API.DIRECT.GET.OBJ_x.$O.x.C.y",
    ] {
        assert!(edge.may_publish(allowed).await, "{allowed}");
    }
    for refused in [
        "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS",
        "$JS.API.CONSUMER.LIST.AIDEATOR_RUNS",
        "$JS.API.STREAM.PURGE.AIDEATOR_RUNS",
        "$JS.API.STREAM.DELETE.AIDEATOR_RUNS",
        "aideator.runs.r-1.state",
        "aideator.runs.r-1.0.out",
        "aideator.control.r-1.0",
        "aideator.live.r-1.0.out",
    ] {
        assert!(!edge.may_publish(refused).await, "{refused}");
    }
    assert!(edge.may_subscribe("aideator.live.r-1.>").await);
    assert!(edge.may_subscribe("_INBOX_edge.>").await);
    for refused in [
        "_INBOX.>",
        "_INBOX_submitter.>",
        "aideator.rpc.>",
        "aideator.requests.>",
    ] {
        assert!(!edge.may_subscribe(refused).await, "{refused}");
    }
}

#[tokio::test]
async fn who_brings_no_credential_may_ask_and_read_and_writes_no_run() {
    let (server, admin) = server_with_runs().await;
    let mut script = Peer::connect(&server, None).await;
    for allowed in [
        "aideator.requests.run",
        "aideator.rpc.run",
        "$SRV.PING",
        "$JS.API.DIRECT.GET.AIDEATOR_RUNS",
        "$JS.API.STREAM.INFO.AIDEATOR_RUNS",
    ] {
        assert!(script.may_publish(allowed).await, "{allowed}");
    }
    for refused in [
        "aideator.requests.rnu",
        "aideator.runs.r-1.state",
        "aideator.runs.r-1.0.out",
        "aideator.runs.r-1.0.attempt",
        "aideator.control.r-1.0",
        "aideator.live.r-1.0.out",
        "$JS.API.STREAM.INFO.AIDEATOR_REQUESTS",
        "$JS.API.STREAM.DELETE.AIDEATOR_RUNS",
        "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS",
        "_INBOX.x",
    ] {
        assert!(!script.may_publish(refused).await, "{refused}");
    }
    for refused in [
        "aideator.requests.>",
        "aideator.rpc.>",
        "aideator.control.>",
        "_INBOX_edge.>",
    ] {
        assert!(!script.may_subscribe(refused).await, "{refused}");
    }
    assert!(script.may_subscribe("aideator.live.>").await);

    let state = Subject::state(&run()).to_string();
    admin
        .publish(state.clone(), "accepted".into())
        .await
        .unwrap()
        .await
        .unwrap();
    let read = script.client.request(
        format!("$JS.API.DIRECT.GET.AIDEATOR_RUNS.{state}"),
        "".into(),
    );
    assert_eq!(read.await.unwrap().payload, "accepted");
}

#[tokio::test]
async fn the_submitter_answers_a_script() {
    let (server, _) = server_with_runs().await;
    let submitter = Peer::connect(&server, server.credentials(User::Submitter).as_ref()).await;
    let mut questions = submitter
        .client
        .subscribe("aideator.rpc.run")
        .await
        .unwrap();
    submitter.client.flush().await.unwrap();
    let script = Peer::connect(&server, None).await;
    let answering = async {
        let question = futures::StreamExt::next(&mut questions).await.unwrap();
        submitter
            .client
            .publish(question.reply.unwrap(), "r-1".into())
            .await
            .unwrap();
    };
    let (answer, ()) = tokio::join!(
        script.client.request("aideator.rpc.run", "{}".into()),
        answering
    );
    assert_eq!(answer.unwrap().payload, "r-1");
}

/// nats-server does not check where a client wants its answer. JetStream answers a publish with
/// an ack and a read with the message: neither may arrive where the asker may not write.
#[tokio::test]
async fn no_answer_carries_an_agents_words_where_it_may_not_write() {
    let (server, admin) = server_with_runs().await;
    let mine = Subject::out(&run(), variation(0)).to_string();
    admin
        .publish(mine.clone(), "".into())
        .await
        .unwrap()
        .await
        .unwrap();
    let witness = Peer::connect(&server, server.credentials(User::Admin).as_ref()).await;
    let mut heard = witness.client.subscribe("aideator.>").await.unwrap();
    witness
        .client
        .request("$JS.API.INFO", "".into())
        .await
        .unwrap();
    let agent = Peer::connect(&server, Some(&agent_of(&server))).await;
    let read = format!("$JS.API.DIRECT.GET.AIDEATOR_RUNS.{mine}");
    let targets = [
        Subject::out(&run(), variation(1)).to_string(),
        Subject::report(&run(), variation(1)).to_string(),
        Subject::attempt(&run(), variation(1)).to_string(),
        Subject::attempt(&run(), variation(0)).to_string(),
        Subject::state(&run()).to_string(),
        Subject::control(&run(), variation(1)).to_string(),
        "aideator.requests.run".to_owned(),
        "aideator.rpc.run".to_owned(),
        "$JS.API.STREAM.DELETE.AIDEATOR_RUNS".to_owned(),
    ];
    for target in &targets {
        for asked in [&mine, &read] {
            let (asked, target) = (asked.clone(), target.clone());
            agent
                .client
                .publish_with_reply(asked, target, "".into())
                .await
                .unwrap();
        }
    }
    // The server has handled all of it before it answers this.
    let last = jetstream::new(agent.client.clone())
        .publish(mine.clone(), "last".into())
        .await;
    assert_eq!(last.unwrap().await.unwrap().sequence, 11);
    let runs = admin.get_stream("AIDEATOR_RUNS").await.unwrap();
    assert_eq!(runs.cached_info().state.messages, 11);
    loop {
        let message = timeout(LIMIT, futures::StreamExt::next(&mut heard))
            .await
            .unwrap()
            .unwrap();
        // As it came in, and as it was republished once stored.
        assert!(
            message.subject.ends_with(".r-1.0.out"),
            "{}",
            message.subject
        );
        if message.payload == "last" {
            break;
        }
    }
}

#[tokio::test]
async fn who_brings_no_credential_reads_batches_and_the_tail_and_finds_services() {
    let (server, admin) = server_with_runs().await;
    let script = Bus::connect(Connect::new(server.url(), "script"))
        .await
        .unwrap();
    let mut tail = script.live(&run()).await.unwrap();
    let state = Subject::state(&run());
    for word in ["one", "two", "three"] {
        admin
            .publish(state.to_string(), word.into())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    assert_eq!(
        timeout(LIMIT, tail.next())
            .await
            .unwrap()
            .unwrap()
            .stored
            .payload,
        "one"
    );
    let all = script.scan("AIDEATOR_RUNS", state.as_str(), 1, None);
    let all: Vec<_> = futures::TryStreamExt::try_collect(all).await.unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(script.stream_state("AIDEATOR_RUNS").await.unwrap().last, 3);

    let submitter = Peer::connect(&server, server.credentials(User::Submitter).as_ref()).await;
    let mut pings = submitter.client.subscribe("$SRV.PING").await.unwrap();
    submitter
        .client
        .request("$JS.API.INFO", "".into())
        .await
        .unwrap();
    let plain = Peer::connect(&server, None).await;
    let mut pongs = plain.client.subscribe("_INBOX.pongs").await.unwrap();
    plain
        .client
        .publish_with_reply("$SRV.PING", "_INBOX.pongs", "".into())
        .await
        .unwrap();
    let ping = timeout(LIMIT, futures::StreamExt::next(&mut pings))
        .await
        .unwrap()
        .unwrap();
    submitter
        .client
        .publish(ping.reply.unwrap(), "here".into())
        .await
        .unwrap();
    let pong = timeout(LIMIT, futures::StreamExt::next(&mut pongs))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(pong.payload, "here");
}

#[test]
fn keys_are_made_once_and_kept_for_this_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let first = Keys::open(&path).unwrap();
    let again = Keys::open(&path).unwrap();
    assert_eq!(first.trust().operator, again.trust().operator);
    assert_eq!(first.sentinel(), again.sentinel());
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    let files: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 6, "{files:?}");
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    let edge = Credentials::load(&path.join("edge.creds")).unwrap();
    assert_eq!(edge, first.credentials(User::Edge).unwrap());
    assert_eq!(edge.inbox_prefix().unwrap(), "_INBOX_edge");
    Minter::load(&path.join("agents.json")).unwrap();
}

#[test]
fn keys_that_others_can_read_are_refused_with_the_command_that_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    Keys::open(folder.path()).unwrap();
    let file = folder.path().join("keys.json");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let error = Keys::open(folder.path()).err().unwrap();
    assert!(
        matches!(error, CredentialsError::Exposed { mode: 0o644, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn damaged_keys_are_refused_and_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    Keys::open(folder.path()).unwrap();
    let file = folder.path().join("keys.json");
    let damaged = fs::read_to_string(&file)
        .unwrap()
        .replace("\"operator\": \"S", "\"operator\": \"X");
    fs::write(&file, &damaged).unwrap();
    assert!(matches!(
        Keys::open(folder.path()),
        Err(CredentialsError::Malformed { .. })
    ));
    assert_eq!(fs::read_to_string(&file).unwrap(), damaged);
}

#[test]
fn a_credential_shows_no_secret_when_it_is_logged() {
    let keys = Keys::generate().unwrap();
    let minter = keys.minter().unwrap();
    let agent = minter
        .agent(
            &run(),
            variation(2),
            Attempt::FIRST,
            Timestamp::from_millis(5001),
        )
        .unwrap();
    assert_eq!(
        format!("{agent:?}"),
        "Credentials { name: Some(\"agent r-1.2.1\"), .. }"
    );
    assert_eq!(agent.expires(), Some(6));
    assert_eq!(agent.inbox_prefix().unwrap(), "_INBOX_r-1_2");
    assert_eq!(agent.to_text().parse::<Credentials>().unwrap(), agent);
    assert!("no credential".parse::<Credentials>().is_err());
}
