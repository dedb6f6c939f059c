//! Any NATS client is enough to start a run, and the same request starts one run, whenever it comes again.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use aideator_bus::Bus;
use aideator_contract::subject::{Command, STATES, rpc};
use aideator_contract::{RunId, State};
use serde_json::{Value, json};
use support::runs::{
    ask, dead, dead_letter, last, send, stored, when_decided, when_finished, when_in,
};
use support::stage::Stage;
use support::until;

#[tokio::test]
async fn a_publish_without_credentials_is_enough() {
    let stage = Stage::whole(&["--model", "scripted/lorem?chunks=3&rate=0"]).await;
    let script = stage.script().await;
    let request = json!({ "prompt": "What does this do?" });
    let request = request.to_string();
    script
        .publish(Command::Run.subject().as_str(), request.into())
        .await
        .unwrap();
    let admin = stage.admin().await;
    let run = until("a run is there", async || {
        runs(&admin).await.into_iter().next()
    })
    .await;
    let summary = when_finished(&admin, &run).await;
    assert_eq!(summary.variations.len(), 1);
    assert_eq!(summary.variations[0].state, State::Succeeded);
}

#[tokio::test]
async fn who_asks_is_told_the_id() {
    let stage = Stage::whole(&[]).await;
    let script = stage.script().await;
    let request = json!({ "prompt": "p", "model": "scripted/lorem?chunks=3&rate=0" });
    let answer = ask(&script, rpc::RUN, &request).await.unwrap();
    let run = answer["run_id"].as_str().unwrap();
    when_finished(&stage.admin().await, run).await;

    let named =
        json!({ "run_id": "mine", "prompt": "p", "model": "scripted/lorem?chunks=3&rate=0" });
    for _ in 0..2 {
        let answer = ask(&script, rpc::RUN, &named).await.unwrap();
        assert_eq!(answer, json!({ "run_id": "mine" }));
    }
    when_finished(&stage.admin().await, "mine").await;
    let other = json!({ "run_id": "mine", "prompt": "q" });
    let refused = ask(&script, rpc::RUN, &other).await.unwrap_err();
    assert!(refused.to_string().contains("mine"), "{refused}");
    let bad = json!({ "prompt": "p", "promt": 1 });
    let refused = ask(&script, rpc::RUN, &bad).await.unwrap_err();
    assert!(refused.to_string().contains("promt"), "{refused}");
}

#[tokio::test]
async fn the_same_request_starts_nothing_new_now_or_later() {
    let stage = Stage::whole(&["--duplicate-window", "1"]).await;
    let (script, admin) = (stage.script().await, stage.admin().await);
    let model = "scripted/lorem?chunks=3&rate=0";

    // The same message id: the server knows it, and when it has forgotten it, we do.
    let request = json!({ "prompt": "p", "model": model });
    let first = send(&script, Command::Run, &request, Some("a name")).await;
    assert!(!first.duplicate);
    let run = RunId::from_key("a name").to_string();
    let finished = when_finished(&admin, &run).await;
    let now = send(&script, Command::Run, &request, Some("another")).await;
    assert!(!now.duplicate);
    let now = send(&script, Command::Run, &request, Some("another")).await;
    assert!(
        now.duplicate,
        "within the window the server itself refuses it"
    );
    let later = until("the window passes", async || {
        let again = send(&script, Command::Run, &request, Some("a name")).await;
        (!again.duplicate).then_some(again.sequence)
    })
    .await;
    when_decided(&admin, Command::Run, later).await;
    assert_eq!(last(&admin, &run).await.unwrap().summary, finished);

    // The same id and body, without any message id.
    let named = json!({ "run_id": "named", "prompt": "p", "model": model });
    send(&script, Command::Run, &named, None).await;
    let finished = when_finished(&admin, "named").await;
    let reordered = format!(r#"{{"model":"{model}","prompt":"p","run_id":"named"}}"#);
    let reordered = reordered.into_bytes();
    let again = support::runs::send_bytes(&script, Command::Run, reordered, None).await;
    when_decided(&admin, Command::Run, again.sequence).await;
    assert_eq!(last(&admin, "named").await.unwrap().summary, finished);

    assert_eq!(runs(&admin).await.len(), 3, "three names, three runs");
    assert_eq!(dead(&admin).await.len(), 0, "a repetition is no mistake");
    let attempts = stored(&admin, "aideator.runs.*.*.attempt").await;
    assert_eq!(attempts.len(), 6, "each was opened and closed once");
}

#[tokio::test]
async fn the_same_id_with_another_request_is_refused_and_changes_nothing() {
    let stage = Stage::whole(&[]).await;
    let (script, admin) = (stage.script().await, stage.admin().await);
    let model = "scripted/lorem?chunks=60&rate=30";
    let one = json!({ "run_id": "one", "prompt": "p", "model": model });
    send(&script, Command::Run, &one, None).await;
    when_in(&admin, "one", 0, &[State::Running]).await;

    let other = json!({ "run_id": "one", "prompt": "q", "model": model, "variations": 2 });
    let sent = send(&script, Command::Run, &other, None).await;
    let letter = dead_letter(&admin, Command::Run, sent.sequence).await;
    assert_eq!(letter["reason"]["code"], "conflict");
    assert_eq!(letter["run_id"], "one");
    assert_eq!(letter["request"], other);
    let answer = support::http::post(stage.http(), "/api/v1/runs", &other.to_string()).await;
    assert_eq!(
        (answer.status, answer.media_type.as_str()),
        (409, "application/problem+json")
    );
    assert_eq!(answer.json()["code"], "conflict");

    let summary = when_finished(&admin, "one").await;
    assert_eq!(summary.variations.len(), 1);
    assert_eq!(summary.variations[0].state, State::Succeeded);
}

#[tokio::test]
async fn a_redelivered_request_makes_nothing_twice() {
    let mut stage = Stage::in_parts(0, &[]).await;
    let (script, admin) = (stage.script().await, stage.admin().await);
    // It is killed at once, in whatever step it is, again and again.
    for number in 0..5 {
        let request = json!({
            "run_id": format!("r{number}"), "prompt": "p",
            "model": "scripted/lorem?chunks=3&rate=0", "variations": 2,
        });
        send(&script, Command::Run, &request, None).await;
        stage.kill(support::stage::Part::Submitter).await;
        stage.start(support::stage::Part::Submitter).await;
    }
    for number in 0..5 {
        let summary = when_finished(&admin, &format!("r{number}")).await;
        assert!(
            summary
                .variations
                .iter()
                .all(|v| v.state == State::Succeeded)
        );
    }
    let attempts = stored(&admin, "aideator.runs.*.*.attempt").await;
    assert_eq!(attempts.len(), 20, "each was opened and closed once");
    let starts = stored(&admin, "aideator.runs.*.*.out").await;
    let starts = starts.iter().filter(|one| {
        let event: Value = serde_json::from_slice(&one.payload).unwrap();
        event["type"] == "start"
    });
    assert_eq!(starts.count(), 10, "each ran once");
}

/// The ids of all runs there are.
async fn runs(admin: &Bus) -> Vec<String> {
    let states = stored(admin, STATES).await;
    let run = |subject: &str| subject.split('.').nth(2).map(str::to_owned);
    let mut runs: Vec<String> = states.iter().filter_map(|s| run(&s.subject)).collect();
    runs.sort();
    runs.dedup();
    runs
}
