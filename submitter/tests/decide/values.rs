//! Values that the tests decide about.

use aideator_contract::State;
use aideator_contract::attempt::Cause;
use aideator_contract::summary::Move;
use aideator_contract::{
    Attempt, AttemptRecord, Change, Code, Mode, Reason, RunId, RunSpec, StateMessage, Summary,
    Timestamp, Variation, VariationSpec,
};
use aideator_submitter::decide::{Fence, Known};

pub(crate) const REQUEST: u64 = 10;

pub(crate) fn run() -> RunId {
    "run".parse().unwrap()
}

pub(crate) fn variation(index: usize) -> Variation {
    Variation::at(index).unwrap()
}

pub(crate) fn attempt(number: u32) -> Attempt {
    Attempt::new(number).unwrap()
}

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn reason(code: Code) -> Reason {
    Reason::new(code, "because")
}

pub(crate) fn spec(count: usize) -> RunSpec {
    let one = VariationSpec {
        model: "m".into(),
        temperature: None,
        instructions: None,
    };
    RunSpec {
        prompt: "p".into(),
        source: None,
        mode: Mode::Analyze,
        variations: vec![one; count],
        deadline_s: 60,
        requester: None,
    }
}

pub(crate) fn summary(count: usize) -> Summary {
    Summary::accepted(&spec(count), "sha".into(), REQUEST, at(0))
}

pub(crate) fn moved(summary: &Summary, index: usize, to: State) -> Summary {
    let now = &summary.variations[index];
    let wanted = Move {
        variation: variation(index),
        attempt: now.attempt,
        to,
        reason: None,
        ending: None,
        command: None,
        at: at(1),
    };
    summary.moved(wanted).unwrap().0
}

pub(crate) fn known(sequence: u64, summary: Summary) -> Known {
    Known::new(
        sequence,
        StateMessage::new(run(), at(0), Change::Noted, summary),
    )
}

pub(crate) fn rejected(sequence: u64, request: u64, error: Reason) -> Known {
    let summary = Summary::rejected("bad".into(), request, at(0));
    Known::new(
        sequence,
        StateMessage::new(run(), at(0), Change::Rejected { error }, summary),
    )
}

pub(crate) fn opened(sequence: u64, index: usize, number: u32) -> Fence {
    let spec = spec(5).attempt(&run(), variation(index), attempt(number), 1);
    Fence {
        sequence,
        record: AttemptRecord::opened(spec.unwrap(), at(0)),
    }
}

pub(crate) fn closed(sequence: u64, number: u32, cause: Cause) -> Fence {
    Fence {
        sequence,
        record: AttemptRecord::closed(attempt(number), cause, at(0)),
    }
}
