use std::time::Duration;

use aideator_bus::Append;
use aideator_contract::subject::{Command, RUNS_STREAM};
use aideator_contract::{Code, Reason, State, Subject};
use bytes::Bytes;

use crate::scene::{Scene, id, until, variation};
use crate::watcher::end;

#[tokio::test]
async fn what_has_no_place_waits_visibly_and_follows_in_order() {
    let mut scene = Scene::without_submitter().await;
    scene.settings.limits.running = 2;
    scene.start().await;
    let request = r#"{"run_id":"a","prompt":"p","variations":3}"#;
    scene.send(Command::Run, request).await;
    let busy = [State::Scheduling, State::Scheduling, State::Queued];
    // Requests are decided side by side; the queue keeps the order in which they were accepted.
    scene.states("a", &busy).await;
    scene
        .send(Command::Run, r#"{"run_id":"b","prompt":"p"}"#)
        .await;
    let waiting = |code: Code| {
        let scene = &scene;
        async move {
            until(async || {
                let last = scene.state("b").await?.summary.variations[0].clone();
                (last.state == State::Queued && last.reason?.code == code).then_some(())
            })
            .await;
        }
    };
    waiting(Code::Waiting).await;
    assert_eq!(scene.launcher.launched(), ["a.0.1", "a.1.1"]);
    end(&scene, "a", 0, State::Succeeded).await;
    let moved = [State::Succeeded, State::Scheduling, State::Scheduling];
    let state = scene.states("a", &moved).await;
    assert_eq!(state.summary.variations[2].reason, None);
    assert_eq!(scene.launcher.launched(), ["a.0.1", "a.1.1", "a.2.1"]);
    end(&scene, "a", 1, State::Failed).await;
    scene.states("b", &[State::Scheduling]).await;
}

#[tokio::test]
async fn a_request_that_finds_the_queue_full_is_refused() {
    let mut scene = Scene::without_submitter().await;
    scene.settings.limits.queued = 2;
    scene.start().await;
    let request = r#"{"run_id":"a","prompt":"p","variations":3}"#;
    let sequence = scene.send(Command::Run, request).await;
    assert_eq!(scene.letter(sequence).await.reason.code, Code::QueueFull);
    let request = r#"{"run_id":"a","prompt":"p","variations":2}"#;
    scene.send(Command::Run, request).await;
    scene.states("a", &[State::Scheduling; 2]).await;
}

/// Fills the stream of runs but for less than `left` bytes, by the words of another run.
async fn fill(scene: &Scene, left: usize) {
    let subject = Subject::out(&id("other"), variation(0));
    let mut bytes = 64 * 1024;
    while bytes > left {
        let payload = Bytes::from(vec![b'x'; bytes]);
        if scene
            .bus
            .append(&subject, payload, Append::default())
            .await
            .is_err()
        {
            bytes /= 2;
        }
    }
}

async fn empty(scene: &Scene) {
    let purge = format!("$JS.API.STREAM.PURGE.{RUNS_STREAM}");
    let what = r#"{"filter":"aideator.runs.other.>"}"#;
    let limit = Duration::from_secs(5);
    scene.bus.request(&purge, what.into(), limit).await.unwrap();
}

async fn small() -> Scene {
    let mut scene = Scene::without_submitter().await;
    scene.settings.declared.runs_bytes = 1024 * 1024;
    scene.bus.ensure(&scene.settings.declared).await.unwrap();
    scene
}

#[tokio::test]
async fn a_variation_whose_output_has_no_room_waits_for_it() {
    let mut scene = small().await;
    fill(&scene, 16 * 1024).await;
    scene.start().await;
    scene
        .send(Command::Run, r#"{"run_id":"a","prompt":"p"}"#)
        .await;
    until(async || {
        let v = scene.state("a").await?.summary.variations[0].clone();
        (v.reason?.code == Code::StorageFull).then_some(())
    })
    .await;
    assert!(scene.launcher.launched().is_empty());
    empty(&scene).await;
    scene.states("a", &[State::Scheduling]).await;
    let spec = scene.launcher.spec("a.0.1").unwrap();
    assert_eq!(spec.output_bytes, 64 * 1024);
}

#[tokio::test]
async fn while_the_stream_is_full_a_request_waits_and_nothing_is_lost() {
    let mut scene = small().await;
    fill(&scene, 16).await;
    scene.start().await;
    let request = r#"{"run_id":"a","prompt":"p"}"#;
    let sequence = scene.send(Command::Run, request).await;
    // It is in hand: the open key was put, and the state can't be.
    until(async || scene.bus.open_runs().get(&id("a")).await.unwrap()).await;
    assert!(scene.state("a").await.is_none());
    empty(&scene).await;
    let state = scene.states("a", &[State::Scheduling]).await;
    assert!(state.summary.has_applied(sequence));
    scene.quiet().await;
    assert!(scene.dead().await.is_empty());
}

#[tokio::test]
async fn what_is_held_back_outside_says_so_and_is_tried_again() {
    let scene = Scene::begin().await;
    scene
        .launcher
        .hold(Some(Reason::new(Code::Quota, "no room")));
    scene
        .send(Command::Run, r#"{"run_id":"a","prompt":"p"}"#)
        .await;
    until(async || {
        let v = scene.state("a").await?.summary.variations[0].clone();
        (v.state == State::Queued && v.reason?.code == Code::Quota).then_some(())
    })
    .await;
    scene.launcher.hold(None);
    scene.states("a", &[State::Scheduling]).await;
}

#[tokio::test]
async fn what_can_not_be_launched_has_failed_with_the_reason() {
    let scene = Scene::begin().await;
    let reason = Reason::new(Code::LaunchFailed, "no such program");
    scene.launcher.refuse(Some(reason.clone()));
    scene
        .send(Command::Run, r#"{"run_id":"a","prompt":"p"}"#)
        .await;
    let state = scene.states("a", &[State::Failed]).await;
    assert_eq!(state.summary.variations[0].reason, Some(reason));
}

#[tokio::test]
async fn a_state_that_can_t_be_read_keeps_no_other_run_from_being_told_why_it_waits() {
    let mut scene = Scene::without_submitter().await;
    scene.settings.limits.running = 2;
    scene.settings.limits.per_requester = 1;
    scene.start().await;
    let ask = async |run: &str, requester: &str| {
        let request = format!(r#"{{"run_id":"{run}","prompt":"p","requester":"{requester}"}}"#);
        scene.send(Command::Run, &request).await;
    };
    let waits = async |run: &str, code: Code| {
        until(async || {
            let last = scene.state(run).await?.summary.variations[0].clone();
            (last.reason?.code == code).then_some(())
        })
        .await;
    };
    ask("a", "one").await;
    scene.states("a", &[State::Scheduling]).await;
    ask("odd", "one").await;
    waits("odd", Code::RequesterLimit).await;
    let nonsense = Bytes::from_static(b"nonsense");
    let subject = Subject::state(&id("odd"));
    let stored = scene.bus.append(&subject, nonsense, Append::default());
    stored.await.unwrap();
    // From here on it would be told that all places are taken.
    ask("b", "two").await;
    scene.states("b", &[State::Scheduling]).await;
    ask("c", "three").await;
    waits("c", Code::Waiting).await;
}
