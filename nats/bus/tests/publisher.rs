//! The publisher against the real server: kills, races, fences.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, SystemTime};

use aideator_bus::credentials::{Keys, User};
use aideator_bus::publisher::{Ended, Publisher, Speaker, open};
use aideator_bus::server::testing::{TestCluster, TestServer};
use aideator_bus::{Append, Bus, Connect, Declared, Stored};
use aideator_contract::attempt::Cause;
use aideator_contract::canonical::sha256_hex;
use aideator_contract::subject::RUNS_STREAM;
use aideator_contract::{
    Attempt, AttemptRecord, AttemptSpec, Event, Mode, OutMessage, Report, RunId, Subject,
    Timestamp, Variation, VariationSpec,
};
use futures::TryStreamExt as _;
use tokio::time::{sleep, timeout};

const LIMIT: Duration = Duration::from_secs(60);

fn run() -> RunId {
    "r-1".parse().unwrap()
}

fn variation() -> Variation {
    Variation::at(0).unwrap()
}

fn second() -> Attempt {
    Attempt::FIRST.next()
}

async fn admin(url: String, keys: &Keys, replicas: u8) -> Bus {
    let credentials = keys.credentials(User::Admin).unwrap();
    let bus = Bus::connect(Connect::new(url, "admin").credentials(credentials))
        .await
        .unwrap();
    let declared = Declared {
        replicas,
        duplicate_window: Duration::from_secs(1),
        ..Declared::default()
    };
    bus.ensure(&declared).await.unwrap();
    bus
}

async fn agent(url: String, keys: &Keys, attempt: Attempt) -> Bus {
    let later = Timestamp::from(SystemTime::now() + Duration::from_secs(600));
    let credentials = keys
        .minter()
        .unwrap()
        .agent(&run(), variation(), attempt, later)
        .unwrap();
    Bus::connect(Connect::new(url, "agent").credentials(credentials))
        .await
        .unwrap()
}

async fn write_attempt(admin: &Bus, record: &AttemptRecord) -> u64 {
    let payload = serde_json::to_vec(record).unwrap();
    let subject = Subject::attempt(&run(), variation());
    admin
        .append(&subject, payload.into(), Append::default())
        .await
        .unwrap()
        .sequence
}

async fn open_attempt(admin: &Bus, attempt: Attempt) -> u64 {
    let spec = AttemptSpec {
        run: run(),
        variation: variation(),
        attempt,
        prompt: "p".to_owned(),
        source: None,
        mode: Mode::Analyze,
        variation_spec: VariationSpec {
            model: "m".to_owned(),
            temperature: None,
            instructions: None,
        },
        deadline_s: 60,
        output_bytes: 1000,
    };
    write_attempt(admin, &AttemptRecord::opened(spec, Timestamp::default())).await
}

async fn start(bus: &Bus, attempt: Attempt) -> Result<Publisher, Ended> {
    let fence = open(bus, &run(), variation(), attempt).await?.fence;
    Publisher::start(
        bus.clone(),
        Speaker::new(run(), variation(), attempt),
        fence,
        "m",
    )
    .await
}

fn text(delta: impl Into<String>) -> Event {
    Event::TextDelta {
        id: "t".to_owned(),
        delta: delta.into(),
    }
}

/// Chunks of one to a few characters, some of several bytes.
fn chunk(index: usize) -> String {
    format!("{index}é ").repeat(index % 3 + 1)
}

/// Everything on a subject; asked again while this connection finds a restarted server.
async fn stored(admin: &Bus, subject: &Subject) -> Vec<Stored> {
    let read = async || {
        admin
            .scan(RUNS_STREAM, subject.as_str(), 1, None)
            .try_collect()
            .await
    };
    within(async {
        loop {
            if let Ok(stored) = read().await {
                break stored;
            }
        }
    })
    .await
}

async fn messages(admin: &Bus) -> Vec<OutMessage> {
    let stored = stored(admin, &Subject::out(&run(), variation())).await;
    stored
        .iter()
        .map(|message| serde_json::from_slice(&message.payload).unwrap())
        .collect()
}

/// What a reader shows: it drops what is not above the last `n`, and `n` has no gap.
async fn shown(admin: &Bus) -> String {
    let mut last = None;
    let mut whole = String::new();
    for message in messages(admin).await {
        if last.is_some_and(|last| message.n <= last) {
            continue;
        }
        assert_eq!(message.n, last.map_or(0, |last| last + 1));
        last = Some(message.n);
        if let Event::TextDelta { delta, .. } = message.event {
            whole.push_str(&delta);
        }
    }
    whole
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(LIMIT, what).await.expect("it took too long")
}

#[tokio::test]
async fn text_is_stored_whole_through_kills_of_the_server() {
    let mut server = TestServer::start_with_operator().await;
    let admin = admin(server.url(), server.keys(), 1).await;
    open_attempt(&admin, Attempt::FIRST).await;
    let agent = agent(server.url(), server.keys(), Attempt::FIRST).await;
    let publisher = start(&agent, Attempt::FIRST).await.unwrap();

    let said: String = (0..3000).map(chunk).collect();
    let speaking = async {
        for index in 0..3000 {
            publisher.push(text(chunk(index))).await.unwrap();
            if index % 10 == 0 {
                sleep(Duration::from_millis(5)).await;
            }
        }
        publisher.report(Report::Ready).unwrap();
        publisher.flush().await.unwrap();
    };
    let killing = async {
        for _ in 0..3 {
            sleep(Duration::from_millis(200)).await;
            server.restart().await;
        }
    };
    within(async { tokio::join!(speaking, killing) }).await;

    assert_eq!(shown(&admin).await, said);
    assert_eq!(publisher.digest().sha256, sha256_hex(said.as_bytes()));
    assert_eq!(publisher.digest().bytes, said.len() as u64);
    assert_eq!(
        publisher.stored_n(),
        messages(&admin).await.last().unwrap().n
    );
    assert!(
        !stored(&admin, &Subject::report(&run(), variation()))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn nothing_is_dropped_while_nats_is_away_and_pushing_waits_when_the_queue_is_full() {
    let mut server = TestServer::start_with_operator().await;
    let admin = admin(server.url(), server.keys(), 1).await;
    open_attempt(&admin, Attempt::FIRST).await;
    let agent = agent(server.url(), server.keys(), Attempt::FIRST).await;
    let publisher = start(&agent, Attempt::FIRST).await.unwrap();
    server.kill().await;

    let mut said = String::new();
    let big = "0123456789abcde\n".repeat(4096);
    let pushed = loop {
        let push = publisher.push(text(big.clone()));
        match timeout(Duration::from_millis(300), push).await {
            Ok(pushed) => pushed.unwrap(),
            Err(_) => break said.len(),
        }
        said.push_str(&big);
    };
    assert!(
        (3 << 20..=5 << 20).contains(&pushed),
        "{pushed} bytes were queued"
    );

    server.restart().await;
    within(publisher.push(text("end"))).await.unwrap();
    said.push_str("end");
    within(publisher.flush()).await.unwrap();
    assert!(shown(&admin).await == said);
}

#[tokio::test]
async fn of_two_processes_of_one_attempt_one_wins_and_the_other_stores_nothing() {
    let server = TestServer::start_with_operator().await;
    let admin = admin(server.url(), server.keys(), 1).await;
    open_attempt(&admin, Attempt::FIRST).await;
    let one = agent(server.url(), server.keys(), Attempt::FIRST).await;
    let two = agent(server.url(), server.keys(), Attempt::FIRST).await;

    let (one, two) =
        within(async { tokio::join!(start(&one, Attempt::FIRST), start(&two, Attempt::FIRST)) })
            .await;

    let (winner, loser) = match (one, two) {
        (Ok(winner), Err(loser)) | (Err(loser), Ok(winner)) => (winner, loser),
        other => panic!("{other:?}"),
    };
    assert_eq!(loser, Ended::Outrun);
    winner.push(text("mine")).await.unwrap();
    within(winner.flush()).await.unwrap();
    assert_eq!(messages(&admin).await.len(), 2);

    // The same, come late.
    let late = agent(server.url(), server.keys(), Attempt::FIRST).await;
    let late = within(start(&late, Attempt::FIRST)).await;
    assert_eq!(late.unwrap_err(), Ended::Outrun);
}

#[tokio::test]
async fn a_zombie_is_refused_and_its_successor_speaks() {
    let server = TestServer::start_with_operator().await;
    let admin = admin(server.url(), server.keys(), 1).await;
    open_attempt(&admin, Attempt::FIRST).await;
    let first = agent(server.url(), server.keys(), Attempt::FIRST).await;
    let zombie = start(&first, Attempt::FIRST).await.unwrap();
    zombie.push(text("before")).await.unwrap();
    within(zombie.flush()).await.unwrap();

    let closed = AttemptRecord::closed(Attempt::FIRST, Cause::Vanished, Timestamp::default());
    write_attempt(&admin, &closed).await;
    zombie.push(text("after")).await.unwrap();
    assert_eq!(within(zombie.flush()).await.unwrap_err(), Ended::Superseded);
    assert_eq!(within(zombie.ended()).await, Ended::Superseded);
    assert_eq!(
        zombie.push(text("more")).await.unwrap_err(),
        Ended::Superseded
    );
    assert_eq!(zombie.report(Report::Ready).unwrap_err(), Ended::Superseded);

    open_attempt(&admin, second()).await;
    let bus = agent(server.url(), server.keys(), second()).await;
    let successor = within(start(&bus, second())).await.unwrap();
    successor.push(text("anew")).await.unwrap();
    within(successor.flush()).await.unwrap();
    // The old process, started again, is told so before it says a word.
    assert_eq!(
        within(start(&first, Attempt::FIRST)).await.unwrap_err(),
        Ended::Superseded
    );

    let events: Vec<_> = messages(&admin).await;
    let told: Vec<_> = events
        .iter()
        .map(|message| (message.attempt.get(), message.n))
        .collect();
    assert_eq!(told, [(1, 0), (1, 1), (2, 0), (2, 1)]);
}

#[tokio::test]
async fn an_agent_that_is_early_waits_for_its_attempt() {
    let server = TestServer::start_with_operator().await;
    let admin = admin(server.url(), server.keys(), 1).await;
    open_attempt(&admin, Attempt::FIRST).await;
    let bus = agent(server.url(), server.keys(), second()).await;
    let run = run();
    let early = open(&bus, &run, variation(), second());
    let (opened, fence) =
        within(async { tokio::join!(early, open_attempt(&admin, second())) }).await;
    assert_eq!(opened.unwrap().fence, fence);
}

#[tokio::test]
async fn a_full_stream_is_waited_for() {
    let server = TestServer::start_with_operator().await;
    let admin = admin(server.url(), server.keys(), 1).await;
    open_attempt(&admin, Attempt::FIRST).await;
    let agent = agent(server.url(), server.keys(), Attempt::FIRST).await;
    let publisher = start(&agent, Attempt::FIRST).await.unwrap();
    resize(&server, 1).await;

    publisher.push(text("late")).await.unwrap();
    assert!(
        timeout(Duration::from_millis(300), publisher.flush())
            .await
            .is_err()
    );
    assert_eq!(shown(&admin).await, "");

    resize(&server, 1 << 20).await;
    within(publisher.flush()).await.unwrap();
    assert_eq!(shown(&admin).await, "late");
}

/// Gives AIDEATOR_RUNS another size in bytes.
async fn resize(server: &TestServer, max_bytes: i64) {
    let credentials = server.credentials(User::Admin).unwrap().to_text();
    let options = async_nats::ConnectOptions::with_credentials(&credentials).unwrap();
    let jetstream = async_nats::jetstream::new(options.connect(server.url()).await.unwrap());
    let mut config = jetstream
        .get_stream(RUNS_STREAM)
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();
    config.max_bytes = max_bytes;
    jetstream.update_stream(config).await.unwrap();
}

#[tokio::test]
async fn what_is_too_large_for_one_event_is_refused_and_the_rest_goes_on() {
    let server = TestServer::start_with_operator().await;
    let admin = admin(server.url(), server.keys(), 1).await;
    open_attempt(&admin, Attempt::FIRST).await;
    let agent = agent(server.url(), server.keys(), Attempt::FIRST).await;
    let publisher = start(&agent, Attempt::FIRST).await.unwrap();
    let huge = Event::Abort {
        reason: "x".repeat(300 * 1024),
    };
    assert!(matches!(
        publisher.push(huge).await,
        Err(Ended::Impossible(_))
    ));
    publisher.push(text("small")).await.unwrap();
    within(publisher.flush()).await.unwrap();
    assert_eq!(shown(&admin).await, "small");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_is_stored_whole_through_the_death_of_a_leader() {
    let mut cluster = TestCluster::start_with_operator().await;
    let admin = admin(cluster.url(), cluster.keys(), 3).await;
    open_attempt(&admin, Attempt::FIRST).await;
    let agent = agent(cluster.url(), cluster.keys(), Attempt::FIRST).await;
    let publisher = within(start(&agent, Attempt::FIRST)).await.unwrap();

    let said: String = (0..1500).map(chunk).collect();
    let speaking = async {
        for index in 0..1500 {
            publisher.push(text(chunk(index))).await.unwrap();
            sleep(Duration::from_millis(2)).await;
        }
        publisher.flush().await.unwrap();
    };
    let killing = async {
        sleep(Duration::from_millis(500)).await;
        let killed = cluster.kill_leader(RUNS_STREAM).await;
        sleep(Duration::from_millis(500)).await;
        cluster.restart(killed).await;
    };
    within(async { tokio::join!(speaking, killing) }).await;

    // A replica may lag behind what was acknowledged.
    within(async { while shown(&admin).await.len() < said.len() {} }).await;
    assert_eq!(shown(&admin).await, said);
}
