use aideator_bus::Expect;
use aideator_contract::attempt::Cause;
use aideator_contract::dead_letter::Refused;
use aideator_contract::local::{CREDENTIALS, STATUS, WORKSPACE};
use aideator_contract::subject::durable;
use aideator_contract::{
    Attempt, AttemptRecord, Code, DeadLetter, Outcome, Reason, Report, RunSpec, State, Status,
    Subject,
};

use crate::stage::{Stage, done, now, run, soon, spec, variation};

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

#[tokio::test]
async fn a_watcher_killed_after_every_message_brings_a_run_to_the_same_end() {
    let stage = Stage::set().await;
    let (run, spec) = (run("restless"), spec("m", 2));
    stage.accept(&run, &spec).await;
    let _first = stage.launch(&run, 0, &spec).await;
    let mut second = stage.launch(&run, 1, &spec).await;
    let end = stage.say(&run, 0, 0, "hello").await;
    stage.report(&run, 0, done(Outcome::Succeeded)).await;
    second.exit(Some(3), None);
    let mut kills = 0;
    let mut known = stage.last_sequence().await;
    while stage.bus.open_runs().get(&run).await.unwrap().is_some() {
        let watching = stage.watch().await;
        soon(async {
            while stage.last_sequence().await == known
                && stage.bus.open_runs().get(&run).await.unwrap().is_some()
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
        watching.kill().await;
        known = stage.last_sequence().await;
        kills += 1;
    }
    assert!(kills >= 3, "{kills}");
    let summary = stage.summary(&run).await;
    assert_eq!(summary.status, Status::Finished);
    let [first, second] = &summary.variations[..] else {
        panic!("{summary:?}");
    };
    assert_eq!((first.state, first.end), (State::Succeeded, Some(end)));
    assert_eq!((second.state, second.end), (State::Failed, Some(0)));
    for index in 0..2 {
        let terminal = stage.history(&run, index).await;
        assert_eq!(terminal.iter().filter(|s| s.is_terminal()).count(), 1);
        assert_eq!(
            stage.records(&run, index).await,
            2,
            "opened and closed once"
        );
    }
}

#[tokio::test]
async fn a_cancelled_variation_ends_when_its_agent_says_so_or_is_gone() {
    let stage = Stage::set().await;
    let watching = stage.watch().await;
    let (run, spec) = (run("cancelled"), spec("m", 2));
    stage.accept(&run, &spec).await;
    let _first = stage.launch(&run, 0, &spec).await;
    let mut second = stage.launch(&run, 1, &spec).await;
    stage.move_to(&run, 0, State::Cancelling).await;
    stage.move_to(&run, 1, State::Cancelling).await;
    stage.report(&run, 0, done(Outcome::Cancelled)).await;
    second.exit(None, Some(15));
    let summary = stage.until(&run, |s| s.status == Status::Finished).await;
    assert!(
        summary
            .variations
            .iter()
            .all(|v| v.state == State::Cancelled)
    );
    stage.until_closed(&run).await;
    watching.stop().await;
}

#[tokio::test]
async fn a_variation_ends_at_its_deadline_whatever_its_process_does() {
    let mut stage = Stage::set().await;
    stage.limits.deadline_grace = std::time::Duration::ZERO;
    let watching = stage.watch().await;
    let run = run("late");
    let spec = RunSpec {
        deadline_s: 1,
        ..spec("m", 1)
    };
    stage.accept(&run, &spec).await;
    let _supervisor = stage.launch(&run, 0, &spec).await;
    stage
        .report(&run, 0, Report::FirstToken { ttft_ms: 1 })
        .await;
    let summary = stage.until(&run, |s| s.status == Status::Finished).await;
    assert_eq!(summary.variations[0].state, State::TimedOut);
    watching.stop().await;
}

#[tokio::test]
async fn a_report_that_can_t_be_used_is_kept_aside_and_the_run_goes_on() {
    let stage = Stage::set().await;
    let watching = stage.watch().await;
    let (run, spec) = (run("newer"), spec("m", 1));
    stage.accept(&run, &spec).await;
    let mut supervisor = stage.launch(&run, 0, &spec).await;
    let subject = Subject::report(&run, variation(0));
    let newer = serde_json::json!({ "v": 2, "type": "transcended", "attempt": 1 });
    let sequence = stage.put(&subject, &newer, Expect::Any).await;
    let letter = soon(async {
        loop {
            let dead = stage
                .bus
                .last_from_leader(&Subject::dead_report())
                .await
                .unwrap();
            match dead {
                Some(dead) => return dead,
                None => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    let letter: DeadLetter = serde_json::from_slice(&letter.payload).unwrap();
    assert_eq!(letter.reason.code, Code::NewerVersion);
    assert_eq!(
        (letter.sequence, letter.run_id.as_ref()),
        (sequence, Some(&run))
    );
    assert_eq!(letter.request, Refused::Request(newer));
    supervisor.exit(Some(0), None);
    let summary = stage.until(&run, |s| s.status == Status::Finished).await;
    assert_eq!(
        summary.variations[0].reason.as_ref().unwrap().code,
        Code::Exited
    );
    soon(async {
        while stage.floor(durable::WATCHER_REPORT).await < sequence {
            tokio::task::yield_now().await;
        }
    })
    .await;
    watching.stop().await;
}

#[tokio::test]
async fn a_retry_is_watched_as_a_new_attempt_and_the_old_agent_is_not_believed() {
    let stage = Stage::set().await;
    let watching = stage.watch().await;
    let (run, spec) = (run("again"), spec("m", 1));
    stage.accept(&run, &spec).await;
    let mut supervisor = stage.launch(&run, 0, &spec).await;
    supervisor.exit(Some(1), None);
    stage.until(&run, |s| s.status == Status::Finished).await;
    stage.until_closed(&run).await;

    stage.retry(&run, 0, 99).await;
    stage.open(&run, 0, &spec).await;
    // Had the fence let it through, it would still be of no account: it is of the first attempt.
    let old = stage.report(&run, 0, done(Outcome::Succeeded)).await;
    soon(async {
        while stage.floor(durable::WATCHER_REPORT).await < old {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(stage.summary(&run).await.variations[0].state, State::Queued);
    let second = Attempt::FIRST.next();
    let mut supervisor = stage.supervise_attempt(&run, 0, second);
    stage.move_to(&run, 0, State::Scheduling).await;
    stage
        .until(&run, |s| s.variations[0].state == State::Starting)
        .await;
    supervisor.exit(None, Some(9));
    let summary = stage.until(&run, |s| s.status == Status::Finished).await;
    assert_eq!(summary.variations[0].attempt, second);
    assert_eq!(
        summary.variations[0].reason.as_ref().unwrap().code,
        Code::Killed
    );
    stage.until_closed(&run).await;
    watching.stop().await;
}

#[tokio::test]
async fn what_happened_while_nobody_watched_is_told_afterwards() {
    let stage = Stage::set().await;
    let (run, spec) = (run("alone"), spec("m", 3));
    stage.accept(&run, &spec).await;
    let mut gone = stage.launch(&run, 0, &spec).await;
    let _alive = stage.launch(&run, 1, &spec).await;
    stage.open(&run, 2, &spec).await;
    gone.vanish();
    let reason = Reason::new(Code::LaunchFailed, "no such program");
    let cause = Cause::NotStarted { reason };
    let closed = AttemptRecord::closed(Attempt::FIRST, cause, now());
    stage
        .put(&Subject::attempt(&run, variation(2)), &closed, Expect::Any)
        .await;
    let watching = stage.watch().await;
    let summary = stage
        .until(&run, |s| {
            s.variations[0].state.is_terminal() && s.variations[2].state.is_terminal()
        })
        .await;
    let code = |index: usize| {
        summary.variations[index]
            .reason
            .as_ref()
            .unwrap()
            .code
            .clone()
    };
    assert_eq!((code(0), code(2)), (Code::Vanished, Code::LaunchFailed));
    stage
        .until(&run, |s| s.variations[1].state == State::Starting)
        .await;
    soon(async {
        while gone.folder().join(CREDENTIALS).exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    watching.stop().await;
}

#[tokio::test]
async fn a_server_that_is_killed_and_comes_back_loses_no_end() {
    let mut stage = Stage::set().await;
    let watching = stage.watch().await;
    let (run, spec) = (run("outage"), spec("m", 1));
    stage.accept(&run, &spec).await;
    let mut supervisor = stage.launch(&run, 0, &spec).await;
    stage
        .until(&run, |s| s.variations[0].state == State::Starting)
        .await;
    stage.server.kill().await;
    supervisor.exit(None, Some(9));
    stage.server.restart().await;
    let summary = stage.until(&run, |s| s.status == Status::Finished).await;
    assert_eq!(summary.variations[0].state, State::Failed);
    watching.stop().await;
}

#[tokio::test]
async fn folders_of_attempts_whose_records_have_expired_are_cleared() {
    let stage = Stage::set().await;
    // Its record can't be read: its folder stays, and those behind it go.
    let mut odd = stage.supervise(&run("a"), 0);
    let subject = Subject::attempt(&run("a"), variation(0));
    stage.put(&subject, &"nonsense", Expect::Any).await;
    let mut expired = stage.supervise(&run("b"), 0);
    stage.accept(&run("c"), &spec("m", 1)).await;
    let mut open = stage.supervise(&run("c"), 0);
    for supervisor in [&mut odd, &mut expired, &mut open] {
        supervisor.exit(Some(0), None);
    }
    let watching = stage.watch().await;
    soon(async {
        while expired.folder().join(WORKSPACE).exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    watching.stop().await;
    assert!(odd.folder().join(WORKSPACE).exists());
    assert!(open.folder().join(WORKSPACE).exists());
}
