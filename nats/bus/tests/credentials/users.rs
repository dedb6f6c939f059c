//! What services and scripts may do.

use aideator_bus::credentials::User;
use aideator_contract::Subject;

use crate::{Peer, peer, run, server_with_streams};

async fn publishes(peer: &mut Peer, allowed: &[&str], refused: &[&str]) {
    for subject in allowed {
        assert!(peer.may_publish(subject).await, "{subject}");
    }
    for subject in refused {
        assert!(!peer.may_publish(subject).await, "{subject}");
    }
}

async fn hears(peer: &mut Peer, allowed: &[&str], refused: &[&str]) {
    for subject in allowed {
        assert!(peer.may_subscribe(subject).await, "{subject}");
    }
    for subject in refused {
        assert!(!peer.may_subscribe(subject).await, "{subject}");
    }
}

#[tokio::test]
async fn the_submitter_declares_the_streams_takes_commands_and_opens_attempts() {
    let (server, _) = server_with_streams().await;
    let mut submitter = peer(&server, Some(User::Submitter)).await;
    let allowed = [
        "aideator.runs.r-1.state",
        "aideator.runs.r-1.0.attempt",
        "aideator.dead.retry",
        "aideator.requests.run",
        "aideator.control.r-1.0",
        "$KV.AIDEATOR_OPEN.r-1",
        "$JS.API.STREAM.CREATE.AIDEATOR_RUNS",
        "$JS.API.STREAM.UPDATE.KV_AIDEATOR_REVOKED",
        "$JS.API.STREAM.PURGE.KV_AIDEATOR_OPEN",
        "$JS.API.DIRECT.GET.AIDEATOR_DEAD",
        "$JS.API.CONSUMER.CREATE.AIDEATOR_REQUESTS.submitter-run.aideator.requests.run",
        "$JS.API.CONSUMER.MSG.NEXT.AIDEATOR_REQUESTS.submitter-run",
        "$JS.ACK.AIDEATOR_REQUESTS.submitter-run.1.1.1.1.0",
        "$JS.ACK._.hash.AIDEATOR_REQUESTS.submitter-run.1.1.1.1.0",
    ];
    let refused = [
        "aideator.runs.r-1.0.out",
        "aideator.runs.r-1.0.report",
        "aideator.requests.cancel",
        "aideator.live.r-1.0.out",
        "aideator.rpc.runs.list",
        "$JS.API.STREAM.CREATE.OTHER",
        "$JS.API.STREAM.DELETE.AIDEATOR_RUNS",
        "$JS.API.STREAM.PURGE.AIDEATOR_RUNS",
        "$JS.API.STREAM.PURGE.AIDEATOR_REQUESTS",
        "$JS.API.STREAM.MSG.DELETE.AIDEATOR_RUNS",
        "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS",
        "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS.other.aideator.runs.*.state",
        "$JS.API.CONSUMER.DELETE.AIDEATOR_RUNS.watcher-report",
        "$JS.API.CONSUMER.MSG.NEXT.AIDEATOR_RUNS.watcher-report",
        "$JS.ACK.AIDEATOR_RUNS.watcher-report.1.1.1.1.0",
        "_INBOX_watcher.x",
    ];
    publishes(&mut submitter, &allowed, &refused).await;
    let allowed = ["aideator.rpc.run", "aideator.rpc.info", "$SRV.PING"];
    let refused = [
        "_INBOX_watcher.>",
        "aideator.requests.>",
        "aideator.runs.>",
        "aideator.rpc.runs.list",
        "$JS.>",
    ];
    hears(&mut submitter, &allowed, &refused).await;
}

#[tokio::test]
async fn the_watcher_reads_reports_closes_attempts_and_deletes_no_stream() {
    let (server, _) = server_with_streams().await;
    let mut watcher = peer(&server, Some(User::Watcher)).await;
    let allowed = [
        "aideator.runs.r-1.state",
        "aideator.runs.r-1.0.attempt",
        "aideator.dead.report",
        "$KV.AIDEATOR_OPEN.r-1",
        "$JS.API.STREAM.INFO.AIDEATOR_RUNS",
        "$JS.API.STREAM.PURGE.KV_AIDEATOR_OPEN",
        // Archived runs leave the stream.
        "$JS.API.STREAM.PURGE.AIDEATOR_RUNS",
        "$O.AIDEATOR_ARCHIVE.C.x",
        "$JS.API.STREAM.MSG.GET.AIDEATOR_RUNS",
        "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS.watcher-report.aideator.runs.*.*.report",
        "$JS.API.CONSUMER.MSG.NEXT.AIDEATOR_RUNS.projection",
        "$JS.ACK.AIDEATOR_RUNS.watcher-state.1.1.1.1.0",
    ];
    let refused = [
        "aideator.runs.r-1.0.out",
        "aideator.runs.r-1.0.report",
        "aideator.dead.run",
        "aideator.requests.run",
        "aideator.control.r-1.0",
        "aideator.live.r-1.0.out",
        "$JS.API.STREAM.CREATE.AIDEATOR_RUNS",
        "$JS.API.STREAM.UPDATE.AIDEATOR_RUNS",
        "$JS.API.STREAM.DELETE.AIDEATOR_RUNS",
        "$JS.API.STREAM.CREATE.OBJ_AIDEATOR_ARCHIVE",
        "$JS.API.STREAM.PURGE.AIDEATOR_REQUESTS",
        "$JS.API.CONSUMER.CREATE.AIDEATOR_REQUESTS.submitter-run.aideator.requests.run",
        "$JS.API.CONSUMER.DELETE.AIDEATOR_RUNS.watcher-report",
        "$JS.API.CONSUMER.MSG.NEXT.AIDEATOR_REQUESTS.submitter-run",
        "$JS.ACK.AIDEATOR_REQUESTS.submitter-run.1.1.1.1.0",
        "$JS.API.DIRECT.GET.AIDEATOR_REQUESTS",
        "$O.archive.C.x",
    ];
    publishes(&mut watcher, &allowed, &refused).await;
    let allowed = [
        "aideator.rpc.runs.list",
        "aideator.rpc.runs.get",
        "$SRV.PING",
    ];
    let refused = ["_INBOX_submitter.>", "aideator.rpc.run", "aideator.runs.>"];
    hears(&mut watcher, &allowed, &refused).await;
}

#[tokio::test]
async fn the_edge_sends_commands_and_reads_and_touches_no_consumer() {
    let (server, _) = server_with_streams().await;
    let mut edge = peer(&server, Some(User::Edge)).await;
    let allowed = [
        "aideator.requests.run",
        "aideator.rpc.runs.list",
        "$JS.API.STREAM.INFO.AIDEATOR_RUNS",
        "$JS.API.STREAM.MSG.GET.AIDEATOR_RUNS",
        "$JS.API.DIRECT.GET.AIDEATOR_RUNS",
        "$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.r-1.state",
        "$JS.API.DIRECT.GET.KV_AIDEATOR_REVOKED",
        "$KV.AIDEATOR_REVOKED.t-1",
    ];
    let refused = [
        "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS",
        "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS.mine.aideator.runs.r-1.state",
        "$JS.API.CONSUMER.DELETE.AIDEATOR_RUNS.watcher-report",
        "$JS.API.CONSUMER.LIST.AIDEATOR_RUNS",
        "$JS.API.CONSUMER.INFO.AIDEATOR_RUNS.watcher-report",
        "$JS.API.CONSUMER.MSG.NEXT.AIDEATOR_RUNS.watcher-report",
        "$JS.ACK.AIDEATOR_RUNS.watcher-report.1.1.1.1.0",
        "$JS.API.STREAM.PURGE.AIDEATOR_RUNS",
        "$JS.API.STREAM.DELETE.AIDEATOR_RUNS",
        "$JS.API.STREAM.PURGE.KV_AIDEATOR_REVOKED",
        "$JS.API.DIRECT.GET.AIDEATOR_REQUESTS",
        "$KV.AIDEATOR_OPEN.r-1",
        "aideator.runs.r-1.state",
        "aideator.runs.r-1.0.out",
        "aideator.control.r-1.0",
        "aideator.live.r-1.0.out",
        "batch.AIDEATOR_RUNS",
    ];
    publishes(&mut edge, &allowed, &refused).await;
    let allowed = ["aideator.live.r-1.>", "_INBOX_edge.>"];
    let refused = [
        "_INBOX.>",
        "_INBOX_submitter.>",
        "aideator.rpc.>",
        "aideator.requests.>",
        "aideator.control.>",
    ];
    hears(&mut edge, &allowed, &refused).await;
}

#[tokio::test]
async fn a_script_may_ask_and_read_and_writes_no_run() {
    // With a credential, and locally without.
    for user in [Some(User::Client), None] {
        let (server, admin) = server_with_streams().await;
        let mut script = peer(&server, user).await;
        let allowed = [
            "aideator.requests.run",
            "aideator.rpc.run",
            "$SRV.PING",
            "$JS.API.DIRECT.GET.AIDEATOR_RUNS",
            "$JS.API.STREAM.INFO.AIDEATOR_RUNS",
        ];
        let refused = [
            "aideator.requests.rnu",
            "aideator.runs.r-1.state",
            "aideator.runs.r-1.0.out",
            "aideator.runs.r-1.0.attempt",
            "aideator.control.r-1.0",
            "aideator.live.r-1.0.out",
            "$JS.API.STREAM.INFO.AIDEATOR_REQUESTS",
            "$JS.API.STREAM.DELETE.AIDEATOR_RUNS",
            "$JS.API.STREAM.PURGE.AIDEATOR_RUNS",
            "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS",
            "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS.mine.aideator.runs.r-1.state",
            "$KV.AIDEATOR_REVOKED.t-1",
            "_INBOX.x",
        ];
        publishes(&mut script, &allowed, &refused).await;
        let refused = [
            "aideator.requests.>",
            "aideator.rpc.>",
            "aideator.control.>",
            "_INBOX_edge.>",
        ];
        hears(&mut script, &["aideator.live.>"], &refused).await;

        let state = Subject::state(&run()).to_string();
        let stored = admin.publish(state.clone(), "accepted".into());
        stored.await.unwrap().await.unwrap();
        let read = format!("$JS.API.DIRECT.GET.AIDEATOR_RUNS.{state}");
        let read = script.client.request(read, "".into());
        assert_eq!(read.await.unwrap().payload, "accepted");
    }
}

#[tokio::test]
async fn the_submitter_answers_a_script() {
    let (server, _) = server_with_streams().await;
    let submitter = peer(&server, Some(User::Submitter)).await;
    let mut questions = submitter
        .client
        .subscribe("aideator.rpc.run")
        .await
        .unwrap();
    submitter.client.flush().await.unwrap();
    let script = peer(&server, None).await;
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
