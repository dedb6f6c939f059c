//! What the database keeps of a run, made from the messages of its state log. Pure.

use std::collections::BTreeMap;

use aideator_contract::view::RunRow;
use aideator_contract::{Change, Mode, RunId, RunSpec, State, StateMessage, Status, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

/// The place of a run in lists, newest first when sorted downwards: also the cursor of a page.
pub(super) fn place(created: Timestamp, run: &RunId) -> String {
    format!("{:014}-{run}", created.millis())
}

/// Whether a text that came from outside is a place.
pub(super) fn is_place(text: &str) -> bool {
    text.split_at_checked(14).is_some_and(|(created, rest)| {
        created.bytes().all(|b| b.is_ascii_digit())
            && rest
                .strip_prefix('-')
                .is_some_and(|run| run.parse::<RunId>().is_ok())
    })
}

/// The record of a run, to be merged into the one that is there. Keys that are absent stay as they are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) run: RunId,
    /// The sequence of the last message it is made from.
    pub(super) sequence: u64,
    /// Whether it says what the run was asked: without that a new record is of no use.
    pub(super) whole: bool,
    pub(super) fields: Value,
}

/// One record per run, from messages in the order of their sequences.
pub(super) fn records(messages: impl IntoIterator<Item = (u64, StateMessage)>) -> Vec<Record> {
    let mut last: BTreeMap<RunId, (u64, StateMessage, Option<Origin>)> = BTreeMap::new();
    for (sequence, message) in messages {
        let origin = origin(&message.change);
        let known = last.remove(&message.run).and_then(|(_, _, origin)| origin);
        last.insert(message.run.clone(), (sequence, message, origin.or(known)));
    }
    last.into_values()
        .map(|(sequence, message, origin)| record(sequence, &message, origin.as_ref()))
        .collect()
}

/// The record of a run whose spec was looked up.
pub(super) fn whole(sequence: u64, message: &StateMessage, spec: RunSpec) -> Record {
    record(sequence, message, Some(&Origin::Accepted(Box::new(spec))))
}

/// How a run began.
enum Origin {
    Accepted(Box<RunSpec>),
    Rejected,
}

fn origin(change: &Change) -> Option<Origin> {
    match change {
        Change::Accepted { spec } => Some(Origin::Accepted(spec.clone())),
        Change::Rejected { .. } => Some(Origin::Rejected),
        _ => None,
    }
}

fn record(sequence: u64, message: &StateMessage, origin: Option<&Origin>) -> Record {
    let (run, summary) = (&message.run, &message.summary);
    let models: Vec<&str> = summary
        .variations
        .iter()
        .map(|v| v.model.as_str())
        .collect();
    let states: Vec<State> = summary.variations.iter().map(|v| v.state).collect();
    // What may have gone is written as null, since an absent key would keep the old value.
    let mut fields = json!({
        "run": run,
        "seq": sequence,
        "place": place(summary.created, run),
        "status": summary.status,
        "models": models,
        "states": states,
        "picked": summary.pick.is_some(),
        "summary": summary,
        "row": {
            "created": summary.created,
            "finished": summary.finished,
            "status": summary.status,
            "variations": summary.variations,
            "pick": summary.pick,
        },
    });
    if let Some(origin) = origin {
        let (spec, row) = match origin {
            Origin::Accepted(spec) => (Some(&**spec), RunRow::of(run.clone(), spec, summary)),
            Origin::Rejected => (None, rejected(message)),
        };
        fields["spec"] = value(&spec);
        fields["repo"] = value(&row.repo);
        fields["row"] = value(&row);
    }
    Record {
        run: run.clone(),
        sequence,
        whole: origin.is_some(),
        fields,
    }
}

/// The row of a request that was rejected: what it asked for is with the dead letters.
fn rejected(message: &StateMessage) -> RunRow {
    RunRow {
        run_id: message.run.clone(),
        created: message.summary.created,
        finished: None,
        status: Status::Rejected,
        prompt: String::new(),
        repo: None,
        commit: None,
        mode: Mode::default(),
        variations: Vec::new(),
        pick: None,
    }
}

fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).expect("types of the contract have text keys and finite numbers")
}
