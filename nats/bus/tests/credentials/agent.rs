//! The credential of one attempt.

use std::time::Duration;

use aideator_bus::credentials::User;
use aideator_contract::{Attempt, RunId, Subject, Timestamp};
use async_nats::ConnectOptions;
use async_nats::jetstream;
use tokio::time::timeout;

use crate::{LIMIT, Peer, agent_of, peer, run, server_with_streams, variation};

#[tokio::test]
async fn an_agent_writes_its_own_variation_and_nothing_else() {
    let (server, _) = server_with_streams().await;
    let mut agent = Peer::connect(&server.url(), Some(&agent_of(&server))).await;
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
        "$JS.API.STREAM.PURGE.AIDEATOR_RUNS",
        "$JS.API.STREAM.DELETE.AIDEATOR_RUNS",
        "$JS.API.STREAM.MSG.DELETE.AIDEATOR_RUNS",
        "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS",
        "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS.mine.aideator.runs.r-1.0.out",
        "$JS.API.CONSUMER.MSG.NEXT.AIDEATOR_RUNS.watcher-report",
        "$JS.ACK.AIDEATOR_RUNS.watcher-report.1.1.1.1.0",
        "$KV.AIDEATOR_OPEN.r-1",
        "batch.AIDEATOR_RUNS",
        "$SRV.PING",
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
    let (server, admin) = server_with_streams().await;
    let attempt = Subject::attempt(&run(), variation(0)).to_string();
    admin
        .publish(attempt.clone(), "opened".into())
        .await
        .unwrap()
        .await
        .unwrap();
    let agent = Peer::connect(&server.url(), Some(&agent_of(&server))).await;
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
    let (server, _) = server_with_streams().await;
    let submitter = peer(&server, Some(User::Submitter)).await;
    let agent = Peer::connect(&server.url(), Some(&agent_of(&server))).await;
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
async fn the_connection_of_an_agent_ends_when_its_credential_does_and_no_other_begins() {
    let (server, _) = server_with_streams().await;
    let soon = Timestamp::from(std::time::SystemTime::now() + Duration::from_secs(1));
    let credential = server
        .keys()
        .minter()
        .unwrap()
        .agent(&run(), variation(0), Attempt::FIRST, soon)
        .unwrap();
    let mut agent = Peer::connect(&server.url(), Some(&credential)).await;
    let said = timeout(LIMIT, agent.refusals.recv())
        .await
        .unwrap()
        .unwrap();
    assert!(said.to_lowercase().contains("expired"), "{said}");

    // A server counts whole seconds: in the last one it lets in once more, and ends that at once.
    let refused = timeout(LIMIT, async {
        loop {
            let options = ConnectOptions::with_credentials(&credential.to_text()).unwrap();
            if let Err(refused) = options.connect(server.url()).await {
                break format!("{refused:?}").to_lowercase();
            }
        }
    });
    let said = refused.await.unwrap();
    assert!(
        said.contains("expired") || said.contains("authorization"),
        "{said}"
    );
}
