//! States tell the truth whatever happens to an agent, and who is no longer asked writes nothing.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::time::{Duration, Instant, SystemTime};

use aideator_bus::{Append, AppendError, Bus, Connect, Credentials, Expect};
use aideator_contract::subject::Command;
use aideator_contract::{Attempt, Code, State, Subject, Timestamp};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::http::post;
use support::processes::{Agent, gone, is_alive, signal};
use support::runs::{
    events, lorem, said_by, send, stored, text_of, variation, when, when_finished, when_in,
    when_it_speaks,
};
use support::stage::{Part, Stage};
use support::viewer::Viewer;
use support::{LIMIT, aideator};
use tokio::process::Command as Process;
use tokio::time::timeout;

/// How soon the end of a killed agent must be told.
const SOON: Duration = Duration::from_secs(5);
const NOT_OURS: i32 = 3;

#[tokio::test]
async fn a_killed_agent_fails_its_variation_alone_and_soon() {
    let stage = Stage::whole(&[]).await;
    let admin = stage.admin().await;
    let model = lorem(120, 30, 1);
    start(
        &admin,
        &json!({ "run_id": "killed", "prompt": "p", "model": model, "variations": 4 }),
    )
    .await;
    for number in 0..4 {
        when_it_speaks(&admin, "killed", number).await;
    }
    let brain = Agent::of(&stage.attempt("killed", 0, 1)).await;
    let supervisor = Agent::of(&stage.attempt("killed", 2, 1)).await;

    let killed = Instant::now();
    signal(brain.brain, Signal::KILL);
    signal(supervisor.supervisor, Signal::KILL);
    let first = when_in(&admin, "killed", 0, &[State::Failed]).await;
    let third = when_in(&admin, "killed", 2, &[State::Failed]).await;
    assert!(killed.elapsed() < SOON, "told after {:?}", killed.elapsed());
    let (first, third) = (first.reason.unwrap(), third.reason.unwrap());
    assert_eq!(first.code, Code::Killed);
    assert!(first.message.contains("SIGKILL"), "{first}");
    assert_eq!(third.code, Code::Vanished);
    gone(supervisor.brain).await;

    let summary = when_finished(&admin, "killed").await;
    let said = said_by(&model).await;
    for number in [1, 3] {
        assert_eq!(summary.variations[number].state, State::Succeeded);
        let events = events(&admin, "killed", number).await;
        assert_eq!(text_of(&events, 1), said);
    }
    let cut = text_of(&events(&admin, "killed", 0).await, 1);
    assert!(!cut.is_empty() && cut.len() < said.len() && said.starts_with(&cut));
}

#[tokio::test]
async fn a_second_process_of_an_attempt_stores_nothing() {
    let stage = Stage::whole(&[]).await;
    let admin = stage.admin().await;
    let model = lorem(90, 30, 2);
    start(
        &admin,
        &json!({ "run_id": "twice", "prompt": "p", "model": model }),
    )
    .await;
    when_it_speaks(&admin, "twice", 0).await;

    let second = brain(&stage, "twice", 1, &key(&stage, "twice", 1)).await;
    assert_eq!(second, Some(NOT_OURS));
    assert_eq!(
        when_in(&admin, "twice", 0, &ENDS).await.state,
        State::Succeeded
    );

    let events = events(&admin, "twice", 0).await;
    let starts = events.iter().filter(|event| event["type"] == "start");
    assert_eq!(starts.count(), 1, "one process spoke");
    assert!(events.iter().enumerate().all(|(n, event)| event["n"] == n));
    assert_eq!(text_of(&events, 1), said_by(&model).await);
    let reports = stored(&admin, "aideator.runs.twice.0.report").await;
    let words: Vec<Value> = reports
        .iter()
        .map(|report| serde_json::from_slice(&report.payload).unwrap())
        .collect();
    let kinds: Vec<&str> = words.iter().map(|w| w["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ready", "first-token", "done"]);
}

#[tokio::test]
async fn a_retry_is_a_new_attempt_and_the_old_agent_is_refused() {
    let stage = Stage::whole(&[]).await;
    let admin = stage.admin().await;
    let model = lorem(200, 40, 3);
    start(
        &admin,
        &json!({ "run_id": "again", "prompt": "p", "model": model }),
    )
    .await;
    when_it_speaks(&admin, "again", 0).await;
    let folder = stage.attempt("again", 0, 1);
    let old = Agent::of(&folder).await;
    let key = key(&stage, "again", 1);

    // It sleeps, and is taken for dead, as a pod on a lost node is.
    signal(old.brain, Signal::STOP);
    let status = json!({ "code": null, "signal": 9, "at": 1 }).to_string();
    std::fs::write(folder.join("status.new"), status).unwrap();
    std::fs::rename(folder.join("status.new"), folder.join("status.json")).unwrap();
    let ended = when_in(&admin, "again", 0, &[State::Failed]).await;
    let fence = stored(&admin, "aideator.runs.again.0.attempt").await[0].sequence;

    let answer = post(stage.http(), "/api/v1/runs/again/variations/0/retry", "{}").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    when(&admin, "again", "it runs again", |summary| {
        summary.variations[0].attempt.get() == 2 && summary.variations[0].state == State::Running
    })
    .await;
    assert!(is_alive(old.brain));
    signal(old.brain, Signal::CONT);
    gone(old.brain).await;

    // Nor is anything taken from another process with the old key, nor by hand behind the old fence.
    let second = brain(&stage, "again", 1, &key).await;
    assert_eq!(second, Some(NOT_OURS));
    let credentials: Credentials = key.parse().unwrap();
    let connect = Connect::new(stage.nats(), "a zombie").credentials(credentials);
    let zombie = Bus::connect(connect).await.unwrap();
    let run = "again".parse().unwrap();
    let how = Append {
        expect: Expect::LastOn {
            filter: &Subject::attempt(&run, variation(0)),
            sequence: fence,
        },
        ..Append::default()
    };
    let out = Subject::out(&run, variation(0));
    let refused = zombie.append(&out, "{}".into(), how).await.unwrap_err();
    assert!(matches!(refused, AppendError::Conflict(_)), "{refused}");
    let others = [
        Subject::out(&run, variation(1)),
        Subject::attempt(&run, variation(0)),
        Subject::report(&"another".parse().unwrap(), variation(0)),
    ];
    for other in others {
        let refused = zombie.append(&other, "{}".into(), Append::default()).await;
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, AppendError::Refused(_)),
            "{other}: {refused}"
        );
    }

    let summary = when_finished(&admin, "again").await;
    assert_eq!(summary.variations[0].state, State::Succeeded);
    let events = events(&admin, "again", 0).await;
    assert_eq!(text_of(&events, 2), said_by(&model).await);
    let attempts: Vec<u64> = events
        .iter()
        .map(|e| e["attempt"].as_u64().unwrap())
        .collect();
    assert!(
        attempts.is_sorted(),
        "nothing of the first after the second began"
    );
    let last = stored(&admin, out.as_str()).await;
    let of_first = attempts.iter().filter(|attempt| **attempt == 1).count();
    assert_eq!(
        Some(last[of_first - 1].sequence),
        ended.end,
        "nothing after its end"
    );
}

#[tokio::test]
async fn what_runs_and_what_waits_can_be_cancelled() {
    let stage = Stage::whole(&["--max-running", "1"]).await;
    let admin = stage.admin().await;
    let model = lorem(3_000, 30, 4);
    start(
        &admin,
        &json!({ "run_id": "stop", "prompt": "p", "model": model, "variations": 3 }),
    )
    .await;
    when_it_speaks(&admin, "stop", 0).await;
    let waits = when_in(&admin, "stop", 1, &[State::Queued]).await;
    assert_eq!(waits.reason.unwrap().code, Code::Waiting);

    let one = json!({ "run_id": "stop", "variation": 1, "reason": "not needed" });
    send(&admin, Command::Cancel, &one, None).await;
    let cancelled = when_in(&admin, "stop", 1, &ENDS).await;
    assert_eq!(
        (cancelled.state, cancelled.end),
        (State::Cancelled, Some(0))
    );
    assert!(events(&admin, "stop", 1).await.is_empty());
    let agent = Agent::of(&stage.attempt("stop", 0, 1)).await;

    let all = post(stage.http(), "/api/v1/runs/stop/cancel", "{}").await;
    assert_eq!(all.status, 202, "{all:?}");
    let summary = when_finished(&admin, "stop").await;
    let states: Vec<State> = summary.variations.iter().map(|v| v.state).collect();
    assert_eq!(states, [State::Cancelled; 3]);
    gone(agent.brain).await;
    let events = events(&admin, "stop", 0).await;
    let last = events.last().unwrap();
    assert_eq!(last["type"], "abort", "it said its last word: {last}");
    let text = text_of(&events, 1);
    assert!(said_by(&model).await.starts_with(&text));
    let digest = summary.variations[0].digest.clone().unwrap();
    assert_eq!(
        digest.bytes,
        text.len() as u64,
        "what was in hand was flushed"
    );
}

#[tokio::test]
async fn agents_outlive_up_and_the_next_one_takes_them_over() {
    let mut stage = Stage::whole(&[]).await;
    let admin = stage.admin().await;
    let model = lorem(150, 25, 5);
    start(
        &admin,
        &json!({ "run_id": "over", "prompt": "p", "model": model, "variations": 2 }),
    )
    .await;
    when_it_speaks(&admin, "over", 0).await;
    when_it_speaks(&admin, "over", 1).await;
    let agents = [
        Agent::of(&stage.attempt("over", 0, 1)).await,
        Agent::of(&stage.attempt("over", 1, 1)).await,
    ];
    admin.close().await;
    stage.stop(Part::Everything).await;
    assert!(agents.iter().all(|agent| is_alive(agent.brain)));
    stage.start(Part::Everything).await;

    let admin = stage.admin().await;
    let mut viewer = Viewer::of("over");
    let watched = timeout(LIMIT, viewer.to_the_end(stage.http())).await;
    watched.expect("the run ends");
    assert_eq!(viewer.faults, Vec::<String>::new());
    let summary = when_finished(&admin, "over").await;
    let said = said_by(&model).await;
    for number in 0..2 {
        assert_eq!(summary.variations[number].state, State::Succeeded);
        assert_eq!(summary.variations[number].attempt.get(), 1);
        assert_eq!(viewer.text(number as u64, 1), said);
    }
    admin.close().await;

    stage.stop(Part::Everything).await;
    stage.start(Part::Everything).await;
    let mut later = Viewer::of("over");
    later.to_the_end(stage.http()).await;
    assert_eq!(later.events, viewer.events, "it replays as it was seen");
    assert_eq!(later.state, viewer.state);
}

const ENDS: [State; 4] = [
    State::Succeeded,
    State::Failed,
    State::Cancelled,
    State::TimedOut,
];

async fn start(bus: &Bus, request: &Value) {
    send(bus, Command::Run, request, None).await;
}

/// Runs a brain by hand for attempt `attempt` of variation 0, and says how it exited.
/// Such a credential as the attempt's own brain has; its own has no name in the file system.
fn key(stage: &Stage, run: &str, attempt: u32) -> String {
    let attempt = Attempt::new(attempt).unwrap();
    let expires = Timestamp::from(SystemTime::now() + 2 * LIMIT);
    let minter = stage.keys().minter().unwrap();
    let key = minter.agent(&run.parse().unwrap(), variation(0), attempt, expires);
    key.unwrap().to_text()
}

async fn brain(stage: &Stage, run: &str, attempt: u32, key: &str) -> Option<i32> {
    let credentials = stage.folder().join("another.creds");
    std::fs::write(&credentials, key).unwrap();
    let mut command = Process::from(aideator());
    command
        .args(["agent", "brain", "--run", run, "--variation", "0"])
        .args(["--attempt", &attempt.to_string()])
        .args(["--nats", &stage.nats(), "--creds"])
        .arg(credentials)
        .current_dir(stage.folder());
    let output = timeout(LIMIT, command.output()).await;
    output.expect("it exits").unwrap().status.code()
}
