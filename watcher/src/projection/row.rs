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
        "listed": summary.status != Status::Rejected,
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

#[cfg(test)]
mod tests {
    use aideator_contract::summary::Summary;
    use aideator_contract::{Code, Reason, Variation, VariationSpec};

    use super::*;

    fn run(name: &str) -> RunId {
        name.parse().unwrap()
    }

    fn spec() -> RunSpec {
        RunSpec {
            prompt: "p".repeat(1000),
            source: None,
            mode: Mode::Analyze,
            variations: vec![VariationSpec {
                model: "m".into(),
                temperature: None,
                instructions: None,
            }],
            deadline_s: 1,
            requester: None,
        }
    }

    fn accepted(name: &str) -> StateMessage {
        let at = Timestamp::from_millis(1_795_000_000_000);
        let summary = Summary::accepted(&spec(), "s".into(), 1, at);
        let spec = Box::new(spec());
        StateMessage::new(run(name), at, Change::Accepted { spec }, summary)
    }

    fn picked(name: &str) -> StateMessage {
        let before = accepted(name);
        let variation = Variation::at(0).unwrap();
        let (summary, change) = before
            .summary
            .picked(variation, None, 2, before.ts)
            .unwrap();
        StateMessage::new(run(name), before.ts, change, summary)
    }

    #[test]
    fn places_sort_by_time_and_read_back() {
        let at = |millis| place(Timestamp::from_millis(millis), &run("a"));
        assert!(at(999) < at(1000) && at(1000) < at(1_795_000_000_000));
        assert!(is_place(&at(5)));
        for bad in [
            "",
            "5-a",
            "00000000000005",
            "00000000000005-",
            "00000000000005-A",
            "é".repeat(9).as_str(),
        ] {
            assert!(!is_place(bad), "{bad}");
        }
    }

    #[test]
    fn messages_of_a_run_become_one_record_with_its_spec_and_its_last_state() {
        let records = records([(1, accepted("a")), (2, accepted("b")), (3, picked("a"))]);
        let [a, b] = &records[..] else {
            panic!("{records:?}");
        };
        assert_eq!(
            (a.sequence, a.whole, &a.fields["picked"]),
            (3, true, &json!(true))
        );
        assert_eq!(
            (b.sequence, b.whole, &b.fields["picked"]),
            (2, true, &json!(false))
        );
        let row: RunRow = serde_json::from_value(a.fields["row"].clone()).unwrap();
        assert_eq!(row.prompt.len(), 200);
        assert_eq!(a.fields["spec"]["prompt"].as_str().unwrap().len(), 1000);
    }

    #[test]
    fn a_later_state_alone_changes_the_row_and_keeps_what_was_asked() {
        let records = records([(3, picked("a"))]);
        assert!(!records[0].whole);
        assert!(records[0].fields.get("spec").is_none());
        assert!(records[0].fields["row"].get("prompt").is_none());
        assert_eq!(records[0].fields["row"]["pick"]["variation"], 0);
    }

    #[test]
    fn an_id_that_was_rejected_and_then_accepted_is_the_accepted_run() {
        let at = Timestamp::from_millis(1);
        let error = Reason::new(Code::BadValue, "no");
        let summary = Summary::rejected("s".into(), 1, at);
        let rejected = StateMessage::new(run("a"), at, Change::Rejected { error }, summary);
        let only = records([(1, rejected.clone())]);
        assert_eq!(
            (&only[0].fields["listed"], &only[0].fields["spec"]),
            (&json!(false), &Value::Null)
        );
        let both = records([(1, rejected), (2, accepted("a"))]);
        assert_eq!(both[0].fields["listed"], true);
        assert_eq!(both[0].fields["row"]["mode"], "analyze");
    }
}
