//! What answers can't do: nats-server does not check where a client wants its answer. JetStream
//! answers a publish with an ack and a read with the message, and neither may arrive where the
//! asker may not write.

use std::collections::BTreeSet;

use aideator_bus::credentials::User;
use aideator_bus::server::testing::{TestCluster, TestServer};
use aideator_bus::{Append, Batch, Bus, Connect, Declared};
use aideator_contract::Subject;
use async_nats::jetstream;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::{LIMIT, Peer, agent_of, bus, peer, run, server_with_streams, variation};

/// Words of an agent that are an order too.
const WORDS: &str = r#"{"stream_name":"AIDEATOR_RUNS","config":{"durable_name":"forged"}}"#;
const BATCH: &str = r#"{"seq":1,"next_by_subj":"aideator.runs.>","batch":9,"max_bytes":100000}"#;
const LAST: &str = r#"{"last_by_subj":"aideator.runs.r-1.0.out"}"#;

/// Where nobody who asks may write.
fn targets() -> Vec<String> {
    let fixed = [
        "aideator.dead.run",
        "$KV.AIDEATOR_OPEN.r-1",
        "$JS.API.STREAM.DELETE.AIDEATOR_RUNS",
        "$JS.API.STREAM.PURGE.AIDEATOR_RUNS",
        "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS.forged",
        "$JS.API.CONSUMER.DELETE.AIDEATOR_RUNS.watcher-report",
    ];
    let subjects = [
        Subject::out(&run(), variation(1)),
        Subject::report(&run(), variation(1)),
        Subject::attempt(&run(), variation(1)),
        Subject::attempt(&run(), variation(0)),
        Subject::state(&run()),
        Subject::control(&run(), variation(1)),
    ];
    let subjects = subjects.map(|subject| subject.to_string());
    fixed
        .map(str::to_owned)
        .into_iter()
        .chain(subjects)
        .collect()
}

/// Hears everything in the account of the services, answers what is asked of services, and tells
/// which subjects it heard once it hears `done`.
async fn witness(server: &TestServer) -> JoinHandle<BTreeSet<String>> {
    let admin = peer(server, Some(User::Admin)).await;
    let mut heard = admin.client.subscribe(">").await.unwrap();
    admin
        .client
        .request("$JS.API.INFO", "".into())
        .await
        .unwrap();
    tokio::spawn(async move {
        let mut subjects = BTreeSet::new();
        while let Some(message) = heard.next().await {
            let subject = message.subject.to_string();
            if subject == "done" {
                break;
            }
            let service = subject.starts_with("aideator.rpc.") || subject.starts_with("$SRV.");
            if let Some(reply) = message.reply.filter(|_| service) {
                admin.client.publish(reply, WORDS.into()).await.unwrap();
            }
            subjects.insert(subject);
        }
        subjects
    })
}

/// Asks for an answer at each target, then the same for an answer at home: the server takes a
/// connection's questions in order.
async fn ask(asker: &Peer, asked: &[(&str, &str)]) {
    for target in targets() {
        for (subject, payload) in asked {
            let (subject, target) = ((*subject).to_owned(), target.clone());
            let payload = (*payload).to_owned().into();
            let sent = asker.client.publish_with_reply(subject, target, payload);
            sent.await.unwrap();
        }
    }
    for (subject, payload) in asked {
        let answer = asker
            .client
            .request((*subject).to_owned(), (*payload).to_owned().into());
        timeout(LIMIT, answer).await.unwrap().unwrap();
    }
}

/// Fails if an answer arrived where its asker may not write.
async fn assert_intact(admin: &jetstream::Context, heard: JoinHandle<BTreeSet<String>>, runs: u64) {
    let done = admin.publish("done", "".into()).await.unwrap();
    let heard = timeout(LIMIT, heard).await.unwrap().unwrap();
    drop(done);
    let hit: Vec<_> = targets()
        .into_iter()
        .filter(|target| heard.contains(target))
        .collect();
    assert!(hit.is_empty(), "{hit:?}");
    let stream = admin.get_stream("AIDEATOR_RUNS").await.unwrap();
    let state = &stream.cached_info().state;
    assert_eq!((state.messages, state.consumer_count), (runs, 0));
}

/// One message of an agent.
async fn spoken(admin: &jetstream::Context) {
    let mine = Subject::out(&run(), variation(0)).to_string();
    let stored = admin.publish(mine, WORDS.into()).await.unwrap();
    assert_eq!(stored.await.unwrap().sequence, 1);
}

/// Two of a run share an account, and what one may write the other may not.
#[tokio::test]
async fn no_answer_carries_an_agents_words_where_it_may_not_write() {
    let (server, admin) = server_with_streams().await;
    spoken(&admin).await;
    let heard = witness(&server).await;
    let agent = Peer::connect(&server.url(), Some(&agent_of(&server))).await;
    let mine = Subject::out(&run(), variation(0)).to_string();
    let read = format!("$JS.API.DIRECT.GET.AIDEATOR_RUNS.{mine}");
    let nothing = format!(
        "$JS.API.DIRECT.GET.AIDEATOR_RUNS.{}",
        Subject::attempt(&run(), variation(0))
    );
    ask(&agent, &[(&mine, WORDS), (&read, ""), (&nothing, "")]).await;
    let spoken = targets().len() + 2;
    assert_intact(&admin, heard, spoken as u64).await;
}

#[tokio::test]
async fn no_answer_carries_what_an_edge_reads_where_it_may_not_write() {
    let (server, admin) = server_with_streams().await;
    spoken(&admin).await;
    let heard = witness(&server).await;
    let edge = peer(&server, Some(User::Edge)).await;
    let asked = [
        (
            "$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.r-1.0.out",
            "",
        ),
        (
            "$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.r-9.state",
            "",
        ),
        ("$JS.API.DIRECT.GET.AIDEATOR_RUNS", BATCH),
        ("$JS.API.STREAM.MSG.GET.AIDEATOR_RUNS", LAST),
        ("$JS.API.STREAM.INFO.AIDEATOR_RUNS", ""),
        ("aideator.requests.run", ""),
        ("aideator.rpc.info", ""),
        ("$KV.AIDEATOR_REVOKED.t-1", ""),
    ];
    ask(&edge, &asked).await;
    assert_intact(&admin, heard, 1).await;
}

#[tokio::test]
async fn no_answer_carries_what_a_script_reads_where_it_may_not_write() {
    for user in [Some(User::Client), None] {
        let (server, admin) = server_with_streams().await;
        spoken(&admin).await;
        let heard = witness(&server).await;
        let script = peer(&server, user).await;
        let asked = [
            (
                "$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.r-1.0.out",
                "",
            ),
            (
                "$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.r-9.state",
                "",
            ),
            ("$JS.API.DIRECT.GET.AIDEATOR_RUNS", BATCH),
            ("$JS.API.STREAM.MSG.GET.AIDEATOR_RUNS", LAST),
            ("$JS.API.STREAM.INFO.AIDEATOR_RUNS", ""),
            ("aideator.requests.run", ""),
            ("aideator.rpc.run", ""),
            ("$SRV.PING", ""),
        ];
        ask(&script, &asked).await;
        assert_intact(&admin, heard, 1).await;
    }
}

/// Why askers have accounts of their own. Submitter and watcher have none: their permissions keep
/// them from mistakes, and not a program that has their credential from the streams.
#[tokio::test]
async fn inside_the_account_of_the_services_an_answer_arrives_anywhere() {
    let (server, admin) = server_with_streams().await;
    spoken(&admin).await;
    let mut watcher = peer(&server, Some(User::Watcher)).await;
    let forged = Subject::out(&run(), variation(1)).to_string();
    assert!(!watcher.may_publish(&forged).await);
    let read = "$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.r-1.0.out";
    let sent = watcher
        .client
        .publish_with_reply(read, forged.clone(), "".into());
    sent.await.unwrap();
    let runs = admin.get_stream("AIDEATOR_RUNS").await.unwrap();
    let stored = timeout(LIMIT, async {
        loop {
            if let Ok(stored) = runs.get_last_raw_message_by_subject(&forged).await {
                break stored.payload;
            }
        }
    });
    assert_eq!(stored.await.unwrap(), WORDS);
}

#[tokio::test]
async fn a_script_reads_batches_and_the_tail_and_finds_services() {
    for user in [Some(User::Client), None] {
        let (server, admin) = server_with_streams().await;
        let script = match user {
            Some(user) => bus(&server, user).await,
            None => Bus::connect(Connect::new(server.url(), "script"))
                .await
                .unwrap(),
        };
        let mut tail = script.live(&run()).await.unwrap();
        let state = Subject::state(&run());
        for word in ["one", "two", "three"] {
            let stored = admin.publish(state.to_string(), word.into()).await.unwrap();
            stored.await.unwrap();
        }
        let first = timeout(LIMIT, tail.next()).await.unwrap().unwrap();
        assert_eq!(first.stored.payload, "one");
        let all = script.scan("AIDEATOR_RUNS", state.as_str(), 1, None);
        let all: Vec<_> = all.try_collect().await.unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(script.stream_state("AIDEATOR_RUNS").await.unwrap().last, 3);

        // Every instance of every service answers.
        let mut services = Vec::new();
        for service in [User::Submitter, User::Watcher] {
            let service = peer(&server, Some(service)).await;
            let mut pings = service.client.subscribe("$SRV.PING").await.unwrap();
            service.client.flush().await.unwrap();
            services.push(tokio::spawn(async move {
                let ping = pings.next().await.unwrap();
                let reply = ping.reply.unwrap();
                service.client.publish(reply, "here".into()).await.unwrap();
                service.client.flush().await.unwrap();
            }));
        }
        let plain = peer(&server, user).await;
        let mut pongs = plain.client.subscribe("_INBOX.pongs").await.unwrap();
        let ping = plain
            .client
            .publish_with_reply("$SRV.PING", "_INBOX.pongs", "".into());
        ping.await.unwrap();
        for _ in &services {
            let pong = timeout(LIMIT, pongs.next()).await.unwrap().unwrap();
            assert_eq!(pong.payload, "here");
        }
    }
}

#[tokio::test]
async fn who_asks_from_another_account_is_answered_by_any_server_of_a_cluster() {
    let cluster = TestCluster::start_with_operator().await;
    let connect = async |url: &str, user: User| {
        let connect = Connect::new(url, user.name());
        let credentials = cluster.credentials(user).unwrap();
        Bus::connect(connect.credentials(credentials))
            .await
            .unwrap()
    };
    let submitter = connect(&cluster.url(), User::Submitter).await;
    let declared = Declared {
        replicas: 3,
        ..Declared::default()
    };
    submitter.ensure(&declared).await.unwrap();
    let state = Subject::state(&run());
    let put = async |word: &'static str| {
        let stored = submitter.append(&state, word.into(), Append::default());
        stored.await.unwrap().sequence
    };
    for (index, url) in cluster.urls().iter().enumerate() {
        let edge = connect(url, User::Edge).await;
        let mut tail = edge.live(&run()).await.unwrap();
        let stored = put("word").await;
        let heard = timeout(LIMIT, tail.next()).await.unwrap().unwrap();
        assert_eq!(heard.stored.sequence, stored);
        let last = edge.last_from_leader(&state).await.unwrap().unwrap();
        assert_eq!(last.sequence, stored);
        let known = edge.stream_state("AIDEATOR_RUNS").await.unwrap();
        assert_eq!(known.last, stored);
        let client = connect(url, User::Client).await;
        // Any replica answers, which may lag.
        let read = timeout(LIMIT, async {
            loop {
                let batch = Batch {
                    stream: "AIDEATOR_RUNS",
                    filter: state.as_str(),
                    from: 1,
                    limit: 100,
                    max_bytes: 100_000,
                };
                let page = client.batch(batch).await.unwrap();
                if page.messages.len() > index {
                    break page.messages.len();
                }
            }
        });
        assert_eq!(read.await.unwrap(), index + 1);
        let command = r#"{"prompt":"hi"}"#;
        let asked = client.request("aideator.requests.run", command.into(), LIMIT);
        let ack = String::from_utf8(asked.await.unwrap().to_vec()).unwrap();
        assert!(ack.contains("AIDEATOR_REQUESTS"), "{ack}");
    }
}
