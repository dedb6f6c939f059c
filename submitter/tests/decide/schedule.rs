use std::collections::BTreeMap;

use aideator_contract::{Attempt, Code, RunId, State, Summary, Variation};
use aideator_submitter::decide::schedule::{Entry, Limits, Storage, Turn, turns};

use crate::values::{attempt, moved, summary, variation};

const ROOMY: Storage = Storage {
    used: 0,
    most: None,
    output: 1,
};

struct Run {
    id: RunId,
    summary: Summary,
    opened: BTreeMap<Variation, Attempt>,
}

fn run(id: &str, request: u64, count: usize, requester: Option<&str>) -> Run {
    let mut summary = summary(count);
    summary.requester = requester.map(str::to_owned);
    for v in &mut summary.variations {
        v.queued = request;
    }
    Run {
        id: id.parse().unwrap(),
        summary,
        opened: BTreeMap::new(),
    }
}

fn limits(running: usize) -> Limits {
    Limits {
        running,
        per_requester: 2,
        queued: 100,
    }
}

fn decide(runs: &[Run], limits: &Limits, storage: &Storage) -> Vec<(String, Option<Code>)> {
    let entries: Vec<_> = runs
        .iter()
        .map(|run| Entry {
            run: &run.id,
            summary: &run.summary,
            opened: &run.opened,
        })
        .collect();
    let told = |turn: Turn| {
        let name = format!("{}.{}", turn.run, turn.variation);
        (name, turn.waits.map(|reason| reason.code))
    };
    turns(&entries, limits, storage)
        .into_iter()
        .map(told)
        .collect()
}

fn launched(turns: &[(String, Option<Code>)]) -> Vec<&str> {
    let all = turns.iter().filter(|(_, waits)| waits.is_none());
    all.map(|(name, _)| name.as_str()).collect()
}

#[test]
fn first_come_is_first_served_up_to_the_limit() {
    let runs = [run("b", 1, 2, None), run("a", 2, 2, None)];
    let turns = decide(&runs, &limits(3), &ROOMY);
    assert_eq!(launched(&turns), ["b.0", "b.1", "a.0"]);
    assert_eq!(turns[3], ("a.1".to_owned(), Some(Code::Waiting)));
}

#[test]
fn what_runs_takes_places_and_so_does_what_is_opened() {
    let mut first = run("a", 1, 3, None);
    first.summary = moved(&first.summary, 0, State::Running);
    first.opened.insert(variation(1), attempt(1));
    let turns = decide(&[first], &limits(2), &ROOMY);
    // What is opened is launched again; nothing else has room.
    assert_eq!(launched(&turns), ["a.1"]);
    assert_eq!(turns[1], ("a.2".to_owned(), Some(Code::Waiting)));
}

#[test]
fn a_requester_at_its_limit_lets_others_pass() {
    let runs = [run("a", 1, 3, Some("one")), run("b", 2, 1, Some("two"))];
    let turns = decide(&runs, &limits(9), &ROOMY);
    assert_eq!(launched(&turns), ["a.0", "a.1", "b.0"]);
    assert_eq!(turns[2], ("a.2".to_owned(), Some(Code::RequesterLimit)));
}

#[test]
fn every_launch_reserves_what_it_may_say() {
    let small = Storage {
        used: 50,
        most: Some(100),
        output: 20,
    };
    let turns = decide(&[run("a", 1, 3, None)], &limits(9), &small);
    assert_eq!(launched(&turns), ["a.0", "a.1"]);
    assert_eq!(turns[2], ("a.2".to_owned(), Some(Code::StorageFull)));
}

#[test]
fn on_a_small_disk_or_among_many_an_attempt_may_say_less() {
    assert_eq!(Storage::output_of(None, 5), 64 << 20);
    assert_eq!(Storage::output_of(Some(10 << 30), 5), 64 << 20);
    assert_eq!(Storage::output_of(Some(10 << 30), 50), 64 << 20);
    assert_eq!(Storage::output_of(Some(64 << 20), 5), 4 << 20);
    let many = Storage {
        used: 5 << 30,
        most: Some(10 << 30),
        output: Storage::output_of(Some(10 << 30), 500),
    };
    let ids: Vec<String> = (0..500).map(|n| format!("r{n}")).collect();
    let runs: Vec<_> = ids.iter().map(|id| run(id, 1, 1, None)).collect();
    assert_eq!(launched(&decide(&runs, &limits(500), &many)).len(), 500);
}
