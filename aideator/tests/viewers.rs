//! A viewer costs almost nothing: no consumer, and hardly any of nats-server's memory.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use aideator_bus::Bus;
use aideator_contract::subject::{Command, RUNS_STREAM};
use aideator_contract::{State, Variation};
use serde_json::{Value, json};
use support::processes::resident;
use support::runs::{ask, lorem, send, when_in};
use support::stage::{Part, Stage};
use support::viewer::{Line, Viewer};
use tokio::task::JoinSet;

const RUNS: usize = 100;
const VIEWERS: usize = 1_000;
/// Of nats-server, in KiB.
const ALLOWED: u64 = 20 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_viewers_make_no_consumer_and_use_hardly_any_memory() {
    let stage = Stage::in_parts(1, &["--max-running", "1"]).await;
    let admin = stage.admin().await;
    // One that runs, and a hundred that wait behind it with something to look at.
    let busy = json!({ "run_id": "busy", "prompt": "p", "model": lorem(100_000, 20, 1) });
    send(&admin, Command::Run, &busy, None).await;
    when_in(&admin, "busy", 0, &[State::Running]).await;
    for number in 0..RUNS {
        let waits = json!({ "run_id": format!("idle-{number}"), "prompt": "p", "variations": 5 });
        send(&admin, Command::Run, &waits, None).await;
    }
    for number in 0..RUNS {
        let last = Variation::MAX - 1;
        when_in(&admin, &format!("idle-{number}"), last, &[State::Queued]).await;
    }
    // What the first viewers cost once: connections' buffers, the edge's two subscriptions.
    let mut warm = watch(&stage, 0..RUNS).await;
    assert_eq!(warm.len(), RUNS);
    warm.clear();

    let consumers = consumers(&admin).await;
    let before = resident(stage.pid(Part::Nats));
    let viewers = watch(&stage, 0..VIEWERS).await;
    let after = resident(stage.pid(Part::Nats));
    assert_eq!(viewers.len(), VIEWERS);
    assert_eq!(
        self::consumers(&admin).await,
        consumers,
        "viewers have none"
    );
    assert!(!consumers.iter().any(|name| name.contains("edge")));
    let grown = after.saturating_sub(before);
    eprintln!("nats-server: {before} KiB, with {VIEWERS} viewers {after} KiB");
    assert!(grown < ALLOWED, "nats-server grew by {grown} KiB");
}

/// Viewers of the waiting runs in turn, each with its past behind it.
async fn watch(stage: &Stage, numbers: std::ops::Range<usize>) -> Vec<(Viewer, Line)> {
    let edge = stage.http();
    let mut joining = JoinSet::new();
    for number in numbers {
        joining.spawn(async move {
            let mut viewer = Viewer::of(&format!("idle-{}", number % RUNS));
            let mut line = viewer.join(edge).await.expect("the edge has room");
            while !viewer.caught_up {
                viewer.next(&mut line).await.expect("the stream stays open");
            }
            assert_eq!(viewer.state["summary"]["status"], "open");
            (viewer, line)
        });
    }
    joining.join_all().await
}

/// The consumers of the stream of runs, as the server names them.
async fn consumers(admin: &Bus) -> Vec<String> {
    let subject = format!("$JS.API.CONSUMER.NAMES.{RUNS_STREAM}");
    let answer: Value = ask(admin, &subject, &json!({})).await.unwrap();
    let names = answer["consumers"].as_array().expect("the server answers");
    let mut names: Vec<String> = names
        .iter()
        .map(|n| n.as_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(!names.is_empty(), "the services have theirs: {answer}");
    names
}
