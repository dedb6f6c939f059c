use std::time::Duration;

use aideator_bus::{Append, Consume};
use aideator_contract::attempt::AttemptEvent;
use aideator_contract::subject::{Command, RUNS_STREAM, STATES, durable};
use aideator_contract::summary::Move;
use aideator_contract::{
    Attempt, AttemptRecord, Change, Code, DeadLetter, Mode, Reason, RunSpec, State, StateMessage,
    Subject, Summary, Timestamp, VariationSpec,
};
use bytes::Bytes;
use futures::StreamExt as _;

use crate::scene::{Scene, id, until, variation};

/// No more than the stream has room for at once.
const RUNS: usize = 7;

#[tokio::test]
async fn a_submitter_killed_again_and_again_does_everything_once() {
    let mut scene = Scene::without_submitter().await;
    scene.settings.limits.running = 1000;
    for n in 0..RUNS {
        let request = format!(r#"{{"run_id":"r{n}","prompt":"p","variations":2}}"#);
        for _ in 0..2 {
            scene.send(Command::Run, &request).await;
        }
        scene
            .send(Command::Run, &request.replace("\"p\"", "\"q\""))
            .await;
        let cancel = format!(r#"{{"run_id":"r{n}","variation":1}}"#);
        scene.send(Command::Cancel, &cancel).await;
    }
    let pending = async |scene: &Scene| {
        let state = scene.bus.stream_state("AIDEATOR_REQUESTS").await;
        state.unwrap().messages
    };
    // It is killed whenever it has come a little further.
    let mut left = pending(&scene).await;
    while left > 0 {
        scene.start().await;
        left = until(async || {
            let now = pending(&scene).await;
            (now == 0 || now + 3 <= left).then_some(now)
        })
        .await;
        scene.kill().await;
    }
    scene.start().await;
    for n in 0..RUNS {
        let run = format!("r{n}");
        until(async || {
            let v = scene.state(&run).await?.summary.variations;
            let stopped = matches!(v[1].state, State::Cancelling | State::Cancelled);
            (v[0].state == State::Scheduling && stopped).then_some(())
        })
        .await;
        let log = scene.log(&run).await;
        let accepted = |m: &&StateMessage| matches!(m.change, Change::Accepted { .. });
        assert_eq!(log.iter().filter(accepted).count(), 1);
        assert!(
            log.iter()
                .all(|m| m.summary.variations[0].attempt.get() == 1)
        );
    }
    // Several are in hand at once, so either request may win its id: the others are refused, once.
    let dead = scene.dead().await;
    for n in 0..RUNS {
        let log = scene.log(&format!("r{n}")).await;
        let Change::Accepted { spec } = &log[0].change else {
            panic!("{:?}", log[0]);
        };
        let refused = if spec.prompt == "p" { 1 } else { 2 };
        let of_run = |l: &&DeadLetter| l.run_id == Some(id(&format!("r{n}")));
        let letters: Vec<_> = dead.iter().filter(of_run).collect();
        assert_eq!(letters.len(), refused, "{letters:?}");
        assert!(letters.iter().all(|l| l.reason.code == Code::Conflict));
    }
}

#[tokio::test]
async fn an_attempt_that_was_opened_and_not_launched_is_launched_by_the_next_start() {
    let mut scene = Scene::begin().await;
    scene.launcher.hold(Some(Reason::new(Code::Quota, "later")));
    scene
        .send(Command::Run, r#"{"run_id":"a","prompt":"p"}"#)
        .await;
    until(async || scene.fence("a", 0).await).await;
    scene.kill().await;
    scene.launcher.hold(None);
    scene.start().await;
    scene.states("a", &[State::Scheduling]).await;
    assert_eq!(scene.launcher.launched(), ["a.0.1"]);
    let fence = scene.fence("a", 0).await.unwrap();
    assert!(matches!(fence.event, AttemptEvent::Opened { .. }));
}

#[tokio::test]
async fn what_was_accepted_is_taken_up_by_the_next_start() {
    let mut scene = Scene::without_submitter().await;
    let (summary, spec) = accepted();
    let change = Change::Accepted {
        spec: Box::new(spec),
    };
    scene.bus.open_runs().put(&id("a")).await.unwrap();
    told(&scene, "a", change, summary).await;
    scene.start().await;
    scene.states("a", &[State::Scheduling]).await;
}

#[tokio::test]
async fn an_older_state_that_comes_again_after_a_restart_takes_no_place() {
    let mut scene = Scene::without_submitter().await;
    scene.settings.limits.running = 1;
    let (summary, _) = accepted();
    let running = moved(&summary, State::Running);
    let ended = moved(&running, State::Succeeded);
    told(&scene, "over", Change::Noted, running).await;
    told(&scene, "over", Change::Noted, ended).await;
    // A submitter before this one has acknowledged the end alone.
    let consume = Consume {
        stream: RUNS_STREAM.to_owned(),
        durable: durable::SUBMITTER_STATE.to_owned(),
        filter: STATES.to_owned(),
        max_ack_pending: 1024,
        ack_wait: Duration::from_secs(6),
    };
    let mut states = scene.bus.consume(consume).await.unwrap();
    let older = states.next().await.unwrap();
    states.next().await.unwrap().ack().await.unwrap();
    drop((older, states));
    scene.start().await;
    until(async || {
        let floor = scene
            .bus
            .consumer_ack_floor(RUNS_STREAM, durable::SUBMITTER_STATE);
        (floor.await.unwrap() > 2).then_some(())
    })
    .await;
    scene
        .send(Command::Run, r#"{"run_id":"a","prompt":"p"}"#)
        .await;
    scene.states("a", &[State::Scheduling]).await;
}

#[tokio::test]
async fn what_waits_while_its_request_expires_ends_and_leaves_its_place() {
    let mut scene = Scene::without_submitter().await;
    scene.settings.limits.running = 1;
    scene.bus.open_runs().put(&id("old")).await.unwrap();
    told(&scene, "old", Change::Noted, accepted().0).await;
    scene.start().await;
    let state = scene.states("old", &[State::Failed]).await;
    let reason = state.summary.variations[0].reason.clone().unwrap();
    assert_eq!(reason.code, Code::UnknownRun);
    scene
        .send(Command::Run, r#"{"run_id":"a","prompt":"p"}"#)
        .await;
    scene.states("a", &[State::Scheduling]).await;
    let sequence = scene
        .send(Command::Retry, r#"{"run_id":"old","variation":0}"#)
        .await;
    let letter = scene.letter(sequence).await;
    assert_eq!(letter.reason.code, Code::UnknownRun);
}

#[tokio::test]
async fn an_attempt_that_can_t_be_read_stops_no_other_run() {
    let mut scene = Scene::without_submitter().await;
    let (summary, spec) = accepted();
    for run in ["odd", "a"] {
        let spec = Box::new(spec.clone());
        scene.bus.open_runs().put(&id(run)).await.unwrap();
        told(&scene, run, Change::Accepted { spec }, summary.clone()).await;
    }
    let subject = Subject::attempt(&id("odd"), variation(0));
    let nonsense = Bytes::from_static(b"nonsense");
    let stored = scene.bus.append(&subject, nonsense, Append::default());
    stored.await.unwrap();
    scene.start().await;
    scene.states("a", &[State::Scheduling]).await;
}

fn accepted() -> (Summary, RunSpec) {
    let spec = RunSpec {
        prompt: "p".into(),
        source: None,
        mode: Mode::Analyze,
        variations: vec![VariationSpec {
            model: "scripted/lorem".into(),
            temperature: None,
            instructions: None,
        }],
        deadline_s: 60,
        requester: None,
    };
    let at = Timestamp::from_millis(1);
    (Summary::accepted(&spec, "sha".into(), 1, at), spec)
}

fn moved(summary: &Summary, to: State) -> Summary {
    let wanted = Move {
        variation: variation(0),
        attempt: Attempt::FIRST,
        to,
        reason: None,
        ending: None,
        command: None,
        at: Timestamp::from_millis(2),
    };
    summary.moved(wanted).unwrap().0
}

/// What is written on the run's `.state` before there is a submitter.
async fn told(scene: &Scene, run: &str, change: Change, summary: Summary) {
    let message = StateMessage::new(id(run), Timestamp::from_millis(1), change, summary);
    let payload = Bytes::from(serde_json::to_vec(&message).unwrap());
    let subject = Subject::state(&id(run));
    let stored = scene.bus.append(&subject, payload, Append::default());
    stored.await.unwrap();
}

#[tokio::test]
async fn a_key_without_a_run_is_removed_by_the_next_start() {
    let mut scene = Scene::without_submitter().await;
    scene.bus.open_runs().put(&id("nobody")).await.unwrap();
    scene.start().await;
    until(async || {
        let open = scene.bus.open_runs().entries().await.unwrap();
        open.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_cancel_that_closed_its_attempt_and_no_more_is_finished_by_the_next_start() {
    let mut scene = Scene::without_submitter().await;
    scene.settings.limits.running = 1;
    scene.start().await;
    scene
        .send(
            Command::Run,
            r#"{"run_id":"a","prompt":"p","variations":2}"#,
        )
        .await;
    scene.states("a", &[State::Scheduling, State::Queued]).await;
    scene.stop().await;
    let cause = aideator_contract::attempt::Cause::Cancelled;
    let attempt = aideator_contract::Attempt::FIRST;
    let record = AttemptRecord::closed(attempt, cause, Timestamp::default());
    let payload = Bytes::from(serde_json::to_vec(&record).unwrap());
    let subject = Subject::attempt(&id("a"), variation(1));
    scene
        .bus
        .append(&subject, payload, Append::default())
        .await
        .unwrap();
    scene.start().await;
    scene
        .states("a", &[State::Scheduling, State::Cancelled])
        .await;
    assert_eq!(scene.launcher.launched(), ["a.0.1"]);
}

#[tokio::test]
async fn a_server_killed_under_it_changes_nothing() {
    let mut scene = Scene::begin().await;
    for round in 0..3 {
        scene
            .send(
                Command::Run,
                &format!(r#"{{"run_id":"r{round}","prompt":"p"}}"#),
            )
            .await;
        scene.server.restart().await;
    }
    for round in 0..3 {
        scene
            .states(&format!("r{round}"), &[State::Scheduling])
            .await;
    }
    scene.quiet().await;
    assert_eq!(scene.launcher.launched(), ["r0.0.1", "r1.0.1", "r2.0.1"]);
    assert!(scene.dead().await.is_empty());
}
