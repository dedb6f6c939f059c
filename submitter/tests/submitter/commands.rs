use aideator_bus::archive::Archiver;
use aideator_contract::attempt::{AttemptEvent, Cause};
use aideator_contract::control::Control;
use aideator_contract::subject::{Command, RUNS_STREAM};
use aideator_contract::{Attempt, Code, State, Status, Subject};
use futures::StreamExt as _;

use crate::scene::{Scene, id, soon, variation};
use crate::watcher::end;

#[tokio::test]
async fn a_running_variation_is_told_to_stop_until_it_has_ended() {
    let scene = Scene::begin().await;
    scene
        .send(
            Command::Run,
            r#"{"run_id":"a","prompt":"p","variations":2}"#,
        )
        .await;
    scene.states("a", &[State::Scheduling; 2]).await;
    let control = Subject::control(&id("a"), variation(1));
    let mut heard = scene.bus.subscribe(control.as_str()).await.unwrap();
    let cancel = r#"{"run_id":"a","variation":1,"reason":"enough"}"#;
    scene.send(Command::Cancel, cancel).await;
    let state = scene
        .states("a", &[State::Scheduling, State::Cancelling])
        .await;
    let reason = state.summary.variations[1].reason.clone().unwrap();
    assert_eq!(
        (reason.code, reason.message.as_str()),
        (Code::Requested, "enough")
    );
    for _ in 0..2 {
        let word = soon(heard.next()).await.unwrap();
        let word: Control = serde_json::from_slice(&word.payload).unwrap();
        assert_eq!(
            word,
            Control::Cancel {
                attempt: Attempt::FIRST
            }
        );
    }
    end(&scene, "a", 1, State::Cancelled).await;
    scene.quiet().await;
    assert!(scene.launcher.stopped().is_empty());
    assert!(scene.dead().await.is_empty());
}

#[tokio::test]
async fn a_queued_variation_is_cancelled_at_once_behind_a_closed_attempt() {
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
    scene
        .send(Command::Cancel, r#"{"run_id":"a","variation":1}"#)
        .await;
    scene
        .states("a", &[State::Scheduling, State::Cancelled])
        .await;
    let fence = scene.fence("a", 1).await.unwrap();
    assert_eq!(
        fence.event,
        AttemptEvent::Closed {
            cause: Cause::Cancelled
        }
    );
    assert_eq!(scene.launcher.launched(), ["a.0.1"]);
}

#[tokio::test]
async fn a_retry_is_a_new_attempt_and_only_of_what_has_ended() {
    let scene = Scene::begin().await;
    scene
        .send(Command::Run, r#"{"run_id":"a","prompt":"p"}"#)
        .await;
    scene.states("a", &[State::Scheduling]).await;
    let retry = r#"{"run_id":"a","variation":0}"#;
    let early = scene.send(Command::Retry, retry).await;
    assert_eq!(scene.letter(early).await.reason.code, Code::NotFinished);
    end(&scene, "a", 0, State::Failed).await;
    scene.send(Command::Retry, retry).await;
    let state = scene.states("a", &[State::Scheduling]).await;
    assert_eq!(state.summary.variations[0].attempt.get(), 2);
    assert_eq!(state.summary.status, Status::Open);
    assert_eq!(scene.launcher.launched(), ["a.0.1", "a.0.2"]);
    assert!(scene.bus.open_runs().get(&id("a")).await.unwrap().is_some());
}

/// Plays the watcher: the run is archived, from this stream or one before it, and leaves the stream.
async fn archive(scene: &Scene, run: &str, epoch: impl Fn(u64) -> u64) {
    let (run, bus) = (id(run), &scene.bus);
    let stream = bus.stream_state(RUNS_STREAM).await.unwrap();
    let mut archiver = Archiver::new(epoch(stream.epoch));
    let all = Subject::run_all(&run);
    let mut all = bus.scan(RUNS_STREAM, all.as_str(), 1, None);
    while let Some(stored) = all.next().await {
        archiver.push(&stored.unwrap());
    }
    let last = archiver.last();
    bus.archives().put(&run, &archiver.finish()).await.unwrap();
    assert!(bus.purge_run(&run, last).await.unwrap() > 0);
}

#[tokio::test]
async fn a_run_whose_stream_is_lost_does_not_go_on() {
    let scene = Scene::begin().await;
    scene
        .send(Command::Run, r#"{"run_id":"a","prompt":"p"}"#)
        .await;
    scene.states("a", &[State::Scheduling]).await;
    end(&scene, "a", 0, State::Failed).await;
    archive(&scene, "a", |epoch| epoch - 1).await;
    let request = r#"{"run_id":"a","variation":0}"#;
    for command in [Command::Retry, Command::Pick] {
        let sent = scene.send(command, request).await;
        let reason = scene.letter(sent).await.reason;
        assert_eq!(reason.code, Code::AlreadyFinished, "{reason}");
    }
    assert!(scene.state("a").await.is_none());
}

#[tokio::test]
async fn an_archived_run_is_known_by_its_id_and_goes_on_where_it_was() {
    let scene = Scene::begin().await;
    let request = r#"{"run_id":"a","prompt":"p"}"#;
    scene.send(Command::Run, request).await;
    scene.states("a", &[State::Scheduling]).await;
    end(&scene, "a", 0, State::Failed).await;
    archive(&scene, "a", |epoch| epoch).await;
    scene.send(Command::Run, request).await;
    let other = scene
        .send(Command::Run, r#"{"run_id":"a","prompt":"another"}"#)
        .await;
    assert_eq!(scene.letter(other).await.reason.code, Code::Conflict);
    scene.quiet().await;
    assert!(
        scene.state("a").await.is_none(),
        "the same is no second run"
    );
    let retry = r#"{"run_id":"a","variation":0}"#;
    scene.send(Command::Retry, retry).await;
    let state = scene.states("a", &[State::Scheduling]).await;
    assert_eq!(state.summary.variations[0].attempt.get(), 2);
    assert_eq!(scene.launcher.spec("a.0.2").unwrap().prompt, "p");
}

#[tokio::test]
async fn a_pick_is_kept_and_the_last_one_counts() {
    let scene = Scene::begin().await;
    scene
        .send(
            Command::Run,
            r#"{"run_id":"a","prompt":"p","variations":2}"#,
        )
        .await;
    scene.states("a", &[State::Scheduling; 2]).await;
    scene
        .send(
            Command::Pick,
            r#"{"run_id":"a","variation":1,"reason":"shorter"}"#,
        )
        .await;
    scene.quiet().await;
    let pick = scene.state("a").await.unwrap().summary.pick.unwrap();
    assert_eq!(
        (pick.variation, pick.reason.as_deref()),
        (variation(1), Some("shorter"))
    );
    scene
        .send(Command::Pick, r#"{"run_id":"a","variation":0}"#)
        .await;
    scene.quiet().await;
    let pick = scene.state("a").await.unwrap().summary.pick.unwrap();
    assert_eq!(pick.variation, variation(0));
}

#[tokio::test]
async fn commands_that_can_not_be_followed_are_buried_with_their_reason() {
    let scene = Scene::begin().await;
    scene
        .send(Command::Run, r#"{"run_id":"a","prompt":"p"}"#)
        .await;
    scene.states("a", &[State::Scheduling]).await;
    end(&scene, "a", 0, State::Succeeded).await;
    let long = format!(r#"{{"run_id":"a","reason":"{}"}}"#, "x".repeat(3000));
    let cases = [
        (Command::Cancel, r#"{"run_id":"b"}"#, Code::UnknownRun),
        (
            Command::Retry,
            r#"{"run_id":"b","variation":0}"#,
            Code::UnknownRun,
        ),
        (
            Command::Pick,
            r#"{"run_id":"b","variation":0}"#,
            Code::UnknownRun,
        ),
        (Command::Cancel, r#"{"run_id":"a"}"#, Code::AlreadyFinished),
        (
            Command::Cancel,
            r#"{"run_id":"a","variation":0}"#,
            Code::AlreadyFinished,
        ),
        (
            Command::Cancel,
            r#"{"run_id":"a","variation":1}"#,
            Code::UnknownVariation,
        ),
        (
            Command::Retry,
            r#"{"run_id":"a","variation":3}"#,
            Code::UnknownVariation,
        ),
        (
            Command::Pick,
            r#"{"run_id":"a","variation":1}"#,
            Code::UnknownVariation,
        ),
        (
            Command::Pick,
            r#"{"run_id":"a","variation":9}"#,
            Code::UnknownVariation,
        ),
        (
            Command::Pick,
            r#"{"run_id":"-","variation":0}"#,
            Code::BadRunId,
        ),
        (Command::Pick, r#"{"run_id":"a"}"#, Code::BadValue),
        (
            Command::Cancel,
            r#"{"run_id":"a","v":2}"#,
            Code::NewerVersion,
        ),
        (
            Command::Cancel,
            r#"{"run_id":"a","when":"now"}"#,
            Code::UnknownField,
        ),
        (Command::Cancel, &long, Code::TooLarge),
        (Command::Cancel, "stop!", Code::BadJson),
    ];
    let mut sent = Vec::new();
    for (command, request, code) in &cases {
        sent.push((scene.send(*command, request).await, command, code));
    }
    scene.quiet().await;
    for (sequence, command, code) in sent {
        let letter = scene.letter(sequence).await;
        assert_eq!(&letter.reason.code, code, "{}", letter.reason);
        assert_eq!(letter.subject, command.subject().as_str());
    }
    assert_eq!(scene.dead().await.len(), cases.len());
}

#[tokio::test]
async fn a_command_that_comes_before_its_run_waits_for_it() {
    let mut scene = Scene::without_submitter().await;
    // Both are there before anybody looks, so the command may be looked at first.
    scene
        .send(Command::Run, r#"{"run_id":"a","prompt":"p"}"#)
        .await;
    scene
        .send(Command::Pick, r#"{"run_id":"a","variation":0}"#)
        .await;
    scene.start().await;
    scene.quiet().await;
    assert!(scene.state("a").await.unwrap().summary.pick.is_some());
    assert!(scene.dead().await.is_empty());
}
