use aideator_contract::attempt::{AttemptEvent, Cause};
use aideator_contract::report::{Done, Outcome};
use aideator_contract::{Code, Digest, State};
use aideator_submitter::decide::launch::{Launched, Left, Step, View, next};
use aideator_submitter::decide::{Fence, Known};

use crate::values::{at, attempt, closed, known, moved, opened, reason, run, summary, variation};

fn decide(
    last: &Known,
    fence: Option<&Fence>,
    launched: Launched<'_>,
    left: Option<&Left>,
) -> Option<Step> {
    next(&View {
        run: &run(),
        variation: variation(0),
        attempt: attempt(1),
        last,
        fence,
        launched,
        left,
        at: at(3),
    })
}

fn state(step: Option<Step>) -> State {
    match step {
        Some(Step::Write(write)) => write.message.summary.variations[0].state,
        other => panic!("{other:?} is no write"),
    }
}

#[test]
fn an_attempt_is_opened_then_launched_then_scheduling() {
    let queued = known(20, summary(1));
    assert_eq!(
        decide(&queued, None, Launched::No, None),
        Some(Step::Open { after: 0 })
    );
    let open = opened(21, 0, 1);
    assert_eq!(
        decide(&queued, Some(&open), Launched::No, None),
        Some(Step::Launch)
    );
    let step = decide(&queued, Some(&open), Launched::Yes, None);
    assert_eq!(state(step), State::Scheduling);
    let scheduling = known(22, moved(&summary(1), 0, State::Scheduling));
    assert_eq!(decide(&scheduling, Some(&open), Launched::Yes, None), None);
}

#[test]
fn what_the_watcher_moved_on_is_left_alone() {
    let open = opened(21, 0, 1);
    for ahead in [
        State::Starting,
        State::Running,
        State::Cancelling,
        State::Failed,
    ] {
        let last = known(22, moved(&summary(1), 0, ahead));
        assert_eq!(decide(&last, Some(&open), Launched::Yes, None), None);
        assert_eq!(decide(&last, Some(&open), Launched::No, None), None);
    }
}

#[test]
fn an_attempt_that_was_closed_is_never_opened_or_launched() {
    let queued = known(20, summary(1));
    let shut = closed(21, 1, Cause::Cancelled);
    for launched in [Launched::No, Launched::Yes] {
        let step = decide(&queued, Some(&shut), launched, None);
        assert_eq!(step, Some(Step::LookBehind));
    }
    let step = decide(&queued, Some(&shut), Launched::No, Some(&Left::default()));
    assert_eq!(state(step), State::Cancelled);
}

#[test]
fn what_can_not_be_launched_is_closed_before_it_has_failed() {
    let queued = known(20, summary(1));
    let open = opened(21, 0, 1);
    let why = reason(Code::LaunchFailed);
    let step = decide(&queued, Some(&open), Launched::Never(&why), None);
    let Some(Step::Close { after, record }) = step else {
        panic!("{step:?}");
    };
    assert_eq!(after, 21);
    let AttemptEvent::Closed { cause } = record.event else {
        panic!("it is open");
    };
    let shut = closed(22, 1, cause);
    let Some(Step::Write(write)) = decide(
        &queued,
        Some(&shut),
        Launched::Never(&why),
        Some(&Left::default()),
    ) else {
        panic!("it has not ended");
    };
    assert_eq!(write.message.summary.variations[0].state, State::Failed);
    assert_eq!(write.message.summary.variations[0].reason, Some(why));
}

#[test]
fn what_can_not_be_opened_is_closed_behind_what_was_before() {
    let queued = known(20, summary(1));
    let why = reason(Code::UnknownRun);
    let step = decide(&queued, None, Launched::Never(&why), None);
    let Some(Step::Close { after: 0, record }) = step else {
        panic!("{step:?}");
    };
    assert_eq!(record.attempt, attempt(1));
    let cause = Cause::NotStarted { reason: why };
    assert_eq!(record.event, AttemptEvent::Closed { cause });
}

#[test]
fn the_last_word_of_an_attempt_counts_above_the_launcher_s() {
    let queued = known(20, summary(1));
    let shut = closed(
        22,
        1,
        Cause::NotStarted {
            reason: reason(Code::LaunchFailed),
        },
    );
    let left = Left {
        last_word: Some(Done {
            outcome: Outcome::Succeeded,
            usage: None,
            digest: Digest {
                sha256: "d".into(),
                bytes: 1,
            },
            out_n: 3,
        }),
        out: 19,
    };
    let Some(Step::Write(write)) = decide(&queued, Some(&shut), Launched::No, Some(&left)) else {
        panic!("it has not ended");
    };
    assert_eq!(write.message.summary.variations[0].state, State::Succeeded);
    assert_eq!(write.message.summary.variations[0].end, Some(19));
}

#[test]
fn what_is_held_back_says_why_once_and_stays_queued() {
    let open = opened(21, 0, 1);
    let why = reason(Code::Quota);
    let step = decide(
        &known(20, summary(1)),
        Some(&open),
        Launched::Held(&why),
        None,
    );
    let Some(Step::Write(write)) = step else {
        panic!("nobody is told");
    };
    let told = write.message.summary;
    assert_eq!(told.variations[0].state, State::Queued);
    assert_eq!(told.variations[0].reason, Some(why.clone()));
    assert_eq!(
        decide(&known(22, told), Some(&open), Launched::Held(&why), None),
        None
    );
}

#[test]
fn another_attempt_s_turn_is_not_taken() {
    let queued = known(20, summary(1));
    let newer = opened(25, 0, 2);
    assert_eq!(decide(&queued, Some(&newer), Launched::No, None), None);
    let failed = moved(&summary(1), 0, State::Failed);
    let (again, _) = failed.retried(variation(0), 30, at(2)).unwrap();
    assert_eq!(decide(&known(31, again), None, Launched::No, None), None);
}
