use aideator_contract::local::{CREDENTIALS, STATUS, WORKSPACE};
use aideator_contract::{Code, Outcome, Report, State, Status};

use crate::stage::{Stage, done, run, soon, spec};

#[tokio::test]
async fn a_run_goes_through_its_states_and_its_key_goes_last() {
    let stage = Stage::set().await;
    let watching = stage.watch().await;
    let (run, spec) = (run("straight"), spec("m", 1));
    stage.accept(&run, &spec).await;
    let mut supervisor = stage.launch(&run, 0, &spec).await;
    stage
        .until(&run, |s| s.variations[0].state == State::Starting)
        .await;
    stage.report(&run, 0, Report::Ready).await;
    stage.say(&run, 0, 0, "hello").await;
    stage
        .report(&run, 0, Report::FirstToken { ttft_ms: 3 })
        .await;
    stage
        .until(&run, |s| s.variations[0].state == State::Running)
        .await;
    let end = stage.say(&run, 0, 1, "world").await;
    stage.report(&run, 0, done(Outcome::Succeeded)).await;
    let summary = stage.until(&run, |s| s.status == Status::Finished).await;
    let variation = &summary.variations[0];
    assert_eq!(variation.state, State::Succeeded);
    assert_eq!(variation.end, Some(end));
    assert_eq!(variation.digest.as_ref().unwrap().bytes, 5);
    assert!(variation.started.is_some() && summary.finished.is_some());
    stage.until_closed(&run).await;
    assert_eq!(
        stage.history(&run, 0).await,
        [
            State::Queued,
            State::Scheduling,
            State::Starting,
            State::Running,
            State::Succeeded
        ]
    );
    assert!(
        supervisor.folder().join(WORKSPACE).exists(),
        "its process is still there"
    );
    supervisor.exit(Some(0), None);
    soon(async {
        while supervisor.folder().join(WORKSPACE).exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!supervisor.folder().join(CREDENTIALS).exists());
    assert!(supervisor.folder().join(STATUS).exists());
    watching.stop().await;
}

#[tokio::test]
async fn a_killed_agent_fails_its_variation_and_the_others_go_on() {
    let stage = Stage::set().await;
    let watching = stage.watch().await;
    let (run, spec) = (run("killed"), spec("m", 3));
    stage.accept(&run, &spec).await;
    let mut first = stage.launch(&run, 0, &spec).await;
    let mut second = stage.launch(&run, 1, &spec).await;
    let _third = stage.launch(&run, 2, &spec).await;
    for index in 0..3 {
        stage
            .report(&run, index, Report::FirstToken { ttft_ms: 1 })
            .await;
    }
    stage
        .until(&run, |s| {
            s.variations.iter().all(|v| v.state == State::Running)
        })
        .await;
    let killed = std::time::Instant::now();
    first.exit(None, Some(9));
    second.vanish();
    let summary = stage
        .until(&run, |s| {
            s.variations[..2].iter().all(|v| v.state.is_terminal())
        })
        .await;
    assert!(killed.elapsed().as_secs() < 5);
    let code = |index: usize| {
        summary.variations[index]
            .reason
            .as_ref()
            .unwrap()
            .code
            .clone()
    };
    assert_eq!((code(0), code(1)), (Code::Killed, Code::Vanished));
    assert_eq!(summary.variations[2].state, State::Running);
    assert_eq!(summary.status, Status::Open);
    watching.stop().await;
}
