use aideator_contract::attempt::Cause;
use aideator_contract::request::{CancelRequest, PickRequest, RetryRequest};
use aideator_contract::{Change, Code, State, Status, Summary};
use aideator_submitter::decide::command::{Command, Step, View, next};
use aideator_submitter::decide::{Fence, Known};

use crate::values::{at, closed, known, moved, opened, reason, rejected, run, summary, variation};

const SEQUENCE: u64 = 50;

fn view<'a>(
    command: &'a Command,
    last: Option<&'a Known>,
    fences: &'a [Option<Fence>],
) -> View<'a> {
    View {
        command,
        sequence: SEQUENCE,
        again: false,
        acted: false,
        settled: true,
        retried: true,
        last,
        fences,
        opened: false,
        spec: true,
        room: true,
        buried: false,
        at: at(9),
    }
}

fn cancel(index: Option<usize>) -> Command {
    Command::Cancel(CancelRequest {
        run_id: run(),
        variation: index.map(variation),
        reason: None,
    })
}

fn retry(index: usize) -> Command {
    Command::Retry(RetryRequest {
        run_id: run(),
        variation: variation(index),
    })
}

fn pick(index: usize) -> Command {
    Command::Pick(PickRequest {
        run_id: run(),
        variation: variation(index),
        reason: None,
    })
}

fn code(step: &Step) -> Option<Code> {
    match step {
        Step::Bury(reason) => Some(reason.code.clone()),
        _ => None,
    }
}

fn written(step: Step) -> (u64, Change, Summary) {
    match step {
        Step::Write(write) => (write.after, write.message.change, write.message.summary),
        other => panic!("{other:?} is no write"),
    }
}

#[test]
fn a_command_for_an_unknown_run_waits_until_earlier_requests_are_decided() {
    let refused = rejected(3, 1, reason(Code::BadValue));
    for command in [cancel(None), retry(0), pick(0)] {
        for last in [None, Some(&refused)] {
            let early = View {
                settled: false,
                ..view(&command, last, &[])
            };
            assert_eq!(next(&early), Step::Wait);
            let late = next(&view(&command, last, &[]));
            assert_eq!(code(&late), Some(Code::UnknownRun));
        }
    }
}

#[test]
fn a_queued_variation_is_closed_before_it_is_cancelled_so_that_nobody_opens_it() {
    let known = known(20, summary(1));
    let command = cancel(None);
    let step = next(&view(&command, Some(&known), &[None]));
    let Step::Close { after, record, .. } = step else {
        panic!("{step:?}");
    };
    assert_eq!(after, 0);
    let fence = closed(21, 1, Cause::Cancelled);
    assert_eq!(record.event, fence.record.event);
    let (after, _, summary) = written(next(&view(&command, Some(&known), &[Some(fence)])));
    assert_eq!(after, 20);
    assert_eq!(summary.status, Status::Finished);
    assert_eq!(summary.variations[0].state, State::Cancelled);
    assert!(summary.has_applied(SEQUENCE));
}

#[test]
fn a_queued_variation_whose_attempt_is_open_goes_by_cancelling() {
    let known = known(20, summary(1));
    let fences = [Some(opened(15, 0, 1))];
    let (_, _, summary) = written(next(&view(&cancel(None), Some(&known), &fences)));
    assert_eq!(summary.variations[0].state, State::Cancelling);
}

#[test]
fn a_record_of_an_older_attempt_does_not_count() {
    let ended = moved(&summary(1), 0, State::Failed);
    let (again, _) = ended.retried(variation(0), 30, at(2)).unwrap();
    let known = known(20, again);
    let fences = [Some(closed(15, 1, Cause::Vanished))];
    let step = next(&view(&cancel(None), Some(&known), &fences));
    assert!(matches!(step, Step::Close { after: 15, ref record, .. } if record.attempt.get() == 2));
}

#[test]
fn a_cancel_of_a_run_is_applied_with_its_last_variation() {
    let running = moved(&moved(&summary(3), 0, State::Running), 1, State::Starting);
    let running = moved(&running, 2, State::Succeeded);
    let command = cancel(None);
    let first = known(20, running);
    let (_, _, one) = written(next(&view(&command, Some(&first), &[])));
    assert!(!one.has_applied(SEQUENCE));
    let second = known(21, one);
    let (_, _, two) = written(next(&view(&command, Some(&second), &[])));
    assert!(two.has_applied(SEQUENCE));
    let states: Vec<_> = two.variations.iter().map(|v| v.state).collect();
    assert_eq!(
        states,
        [State::Cancelling, State::Cancelling, State::Succeeded]
    );
    let third = known(22, two);
    assert_eq!(next(&view(&command, Some(&third), &[])), Step::Done);
}

#[test]
fn a_cancel_of_what_has_ended_is_refused() {
    let over = known(20, moved(&summary(1), 0, State::Succeeded));
    for command in [cancel(None), cancel(Some(0))] {
        let step = next(&view(&command, Some(&over), &[]));
        assert_eq!(code(&step), Some(Code::AlreadyFinished));
    }
    let step = next(&view(&cancel(Some(4)), Some(&over), &[]));
    assert_eq!(code(&step), Some(Code::UnknownVariation));
}

#[test]
fn a_cancel_waits_for_the_retries_before_it_when_nothing_is_left_to_stop() {
    let over = known(20, moved(&summary(1), 0, State::Failed));
    let command = cancel(None);
    let early = View {
        retried: false,
        ..view(&command, Some(&over), &[])
    };
    assert_eq!(next(&early), Step::Wait);
    let (queued, _) = over
        .summary()
        .retried(variation(0), SEQUENCE - 1, at(2))
        .unwrap();
    let queued = known(21, queued);
    let step = next(&view(&command, Some(&queued), &[None]));
    assert!(matches!(step, Step::Close { .. }), "{step:?}");
}

#[test]
fn a_cancel_is_applied_only_when_the_retries_before_it_are_decided() {
    let ended = moved(&summary(2), 1, State::Failed);
    let first = known(20, moved(&ended, 0, State::Running));
    let command = cancel(None);
    let early = |known| View {
        retried: false,
        ..view(&command, Some(known), &[])
    };
    let (_, _, stopping) = written(next(&early(&first)));
    assert_eq!(stopping.variations[0].state, State::Cancelling);
    assert!(!stopping.has_applied(SEQUENCE));
    let second = known(21, stopping);
    assert_eq!(next(&early(&second)), Step::Wait);
    let (_, change, noted) = written(next(&view(&command, Some(&second), &[])));
    assert_eq!(change, Change::Noted);
    assert!(noted.has_applied(SEQUENCE));
}

#[test]
fn a_cancel_that_comes_again_after_it_worked_is_not_refused() {
    let over = known(20, moved(&summary(1), 0, State::Cancelled));
    let command = cancel(None);
    let again = View {
        again: true,
        ..view(&command, Some(&over), &[])
    };
    assert_eq!(next(&again), Step::Done);
}

#[test]
fn a_second_cancel_is_noted() {
    let stopping = known(20, moved(&summary(1), 0, State::Cancelling));
    let (_, change, summary) = written(next(&view(&cancel(None), Some(&stopping), &[])));
    assert_eq!(change, Change::Noted);
    assert!(summary.has_applied(SEQUENCE));
}

#[test]
fn a_cancel_does_not_touch_what_a_later_retry_queued() {
    let ended = moved(&summary(1), 0, State::Failed);
    let (again, _) = ended.retried(variation(0), SEQUENCE + 1, at(2)).unwrap();
    let known = known(20, again);
    let step = next(&view(&cancel(None), Some(&known), &[None]));
    assert_eq!(code(&step), Some(Code::AlreadyFinished));
}

#[test]
fn a_retry_puts_the_key_before_and_again_after_its_write() {
    let command = retry(0);
    let over = known(20, moved(&summary(1), 0, State::Failed));
    assert_eq!(next(&view(&command, Some(&over), &[])), Step::Open);
    let put = View {
        opened: true,
        ..view(&command, Some(&over), &[])
    };
    let (_, _, summary) = written(next(&put));
    assert_eq!(summary.variations[0].attempt.get(), 2);
    assert_eq!(summary.status, Status::Open);
    let queued = known(21, summary);
    assert_eq!(next(&view(&command, Some(&queued), &[])), Step::Open);
    let put = View {
        opened: true,
        ..view(&command, Some(&queued), &[])
    };
    assert_eq!(next(&put), Step::Done);
}

#[test]
fn a_retry_of_what_has_not_ended_or_is_not_there_or_finds_no_room_is_refused() {
    let running = known(20, moved(&summary(1), 0, State::Running));
    let step = next(&view(&retry(0), Some(&running), &[]));
    assert_eq!(code(&step), Some(Code::NotFinished));
    let step = next(&view(&retry(1), Some(&running), &[]));
    assert_eq!(code(&step), Some(Code::UnknownVariation));
    let command = retry(0);
    let over = known(20, moved(&summary(1), 0, State::Failed));
    let full = View {
        room: false,
        ..view(&command, Some(&over), &[])
    };
    assert_eq!(code(&next(&full)), Some(Code::QueueFull));
    let expired = View {
        spec: false,
        ..view(&command, Some(&over), &[])
    };
    assert_eq!(code(&next(&expired)), Some(Code::UnknownRun));
}

#[test]
fn nothing_follows_a_run_whose_stream_is_lost() {
    let over = Known {
        lost: true,
        ..known(0, moved(&summary(1), 0, State::Failed))
    };
    for command in [retry(0), pick(0), cancel(None)] {
        let step = next(&view(&command, Some(&over), &[]));
        assert_eq!(code(&step), Some(Code::AlreadyFinished));
    }
}

#[test]
fn a_pick_is_noted_at_any_time_and_once() {
    for state in [State::Running, State::Succeeded] {
        let known1 = known(20, moved(&summary(2), 0, state));
        let (_, _, summary) = written(next(&view(&pick(0), Some(&known1), &[])));
        assert_eq!(summary.pick.as_ref().unwrap().variation, variation(0));
        let known2 = known(21, summary);
        assert_eq!(next(&view(&pick(0), Some(&known2), &[])), Step::Done);
        let command = pick(3);
        let missing = view(&command, Some(&known1), &[]);
        assert_eq!(code(&next(&missing)), Some(Code::UnknownVariation));
    }
}
