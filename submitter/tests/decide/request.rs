use aideator_contract::{Change, Code, Reason, RunSpec, State, Status};
use aideator_submitter::decide::Known;
use aideator_submitter::decide::request::{Request, Step, View, next};

use crate::values::{REQUEST, at, known, moved, reason, rejected, run, spec, summary};

fn request() -> Request {
    Request {
        run: run(),
        named: true,
        sequence: REQUEST,
        sha256: "sha".into(),
    }
}

fn decide(
    last: Option<&Known>,
    verdict: Option<&Result<RunSpec, Reason>>,
    done: [bool; 2],
) -> Step {
    next(&View {
        request: &request(),
        last,
        verdict,
        opened: done[0],
        buried: done[1],
        at: at(5),
    })
}

#[test]
fn a_new_request_is_judged_then_its_key_is_put_then_it_is_accepted() {
    assert_eq!(decide(None, None, [false; 2]), Step::Judge);
    let good = Ok(spec(2));
    assert_eq!(decide(None, Some(&good), [false; 2]), Step::Open);
    let Step::Write(write) = decide(None, Some(&good), [true, false]) else {
        panic!("it is not accepted");
    };
    assert_eq!(write.after, 0);
    assert!(matches!(write.message.change, Change::Accepted { .. }));
    assert_eq!(write.message.summary.variations.len(), 2);
    assert_eq!(write.message.summary.variations[0].queued, REQUEST);
}

#[test]
fn the_same_request_is_only_acknowledged_whatever_became_of_the_run() {
    let mut earlier = summary(1);
    earlier.applied = vec![REQUEST - 1];
    let known = known(7, earlier);
    assert_eq!(decide(Some(&known), None, [false; 2]), Step::Done);
    let unjudgeable = Err(reason(Code::UnknownModel));
    assert_eq!(
        decide(Some(&known), Some(&unjudgeable), [false; 2]),
        Step::Done
    );
}

#[test]
fn an_accepted_request_that_is_delivered_again_puts_its_key_once_more() {
    let open = known(7, summary(1));
    assert_eq!(decide(Some(&open), None, [false; 2]), Step::Open);
    assert_eq!(decide(Some(&open), None, [true, false]), Step::Done);
    let over = known(8, moved(&summary(1), 0, State::Failed));
    assert_eq!(decide(Some(&over), None, [false; 2]), Step::Done);
}

#[test]
fn another_request_under_the_same_id_is_buried_and_the_run_is_untouched() {
    let mut other = summary(1);
    other.request_sha256 = "other".into();
    let known = known(7, other);
    let Step::Bury(reason) = decide(Some(&known), None, [false; 2]) else {
        panic!("it is not refused");
    };
    assert_eq!(reason.code, Code::Conflict);
    assert_eq!(decide(Some(&known), None, [false, true]), Step::Done);
}

#[test]
fn a_refusal_is_told_on_the_state_first_and_then_buried() {
    let bad = Err(reason(Code::BadValue));
    let Step::Write(write) = decide(None, Some(&bad), [false; 2]) else {
        panic!("nobody is told");
    };
    assert_eq!(write.message.summary.status, Status::Rejected);
    let told = Known::new(8, *write.message);
    assert_eq!(
        decide(Some(&told), Some(&bad), [false; 2]),
        Step::Bury(reason(Code::BadValue))
    );
    assert_eq!(decide(Some(&told), Some(&bad), [false, true]), Step::Done);
}

#[test]
fn a_redelivered_refusal_keeps_its_first_reason_without_being_judged_again() {
    let told = rejected(8, REQUEST, reason(Code::RepositoryUnreachable));
    assert_eq!(
        decide(Some(&told), None, [false; 2]),
        Step::Bury(reason(Code::RepositoryUnreachable))
    );
}

#[test]
fn a_rejected_id_may_be_used_again() {
    let told = rejected(8, REQUEST - 1, reason(Code::BadValue));
    assert_eq!(decide(Some(&told), None, [false; 2]), Step::Judge);
    let good = Ok(spec(1));
    let Step::Write(write) = decide(Some(&told), Some(&good), [true, false]) else {
        panic!("it is not accepted");
    };
    assert_eq!(write.after, 8);
}

#[test]
fn a_refusal_of_a_request_nobody_can_name_is_only_buried() {
    let bad = Err(reason(Code::BadJson));
    let unnamed = Request {
        named: false,
        ..request()
    };
    let step = next(&View {
        request: &unnamed,
        last: None,
        verdict: Some(&bad),
        opened: false,
        buried: false,
        at: at(0),
    });
    assert_eq!(step, Step::Bury(reason(Code::BadJson)));
}
