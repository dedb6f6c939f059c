//! The queue: the variations that wait, in the order in which they will be launched.

use std::collections::BTreeMap;

use crate::ids::{Attempt, RunId, Variation};
use crate::state::State;
use crate::summary::Summary;
use crate::view::QueuePlace;

/// A variation that waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// Its run.
    pub run: &'a RunId,
    /// The variation.
    pub variation: Variation,
    /// The attempt that waits.
    pub attempt: Attempt,
    /// Who asked for the run.
    pub requester: Option<&'a str>,
    /// The sequence of the request that queued it.
    pub queued: u64,
}

/// All waiting variations of `runs`, first come first: by the sequence of the request that queued
/// them, then by variation. (The run decides between equals, which one stream of requests never makes.)
pub fn order<'a>(runs: impl IntoIterator<Item = (&'a RunId, &'a Summary)>) -> Vec<Waiting<'a>> {
    let mut waiting: Vec<_> = runs.into_iter().flat_map(waiting_of).collect();
    waiting.sort_by_key(|w| (w.queued, w.variation, w.run));
    waiting
}

/// The places in the queue of every run that waits, from 1.
pub fn places<'a>(
    runs: impl IntoIterator<Item = (&'a RunId, &'a Summary)>,
) -> BTreeMap<&'a RunId, Vec<QueuePlace>> {
    let mut places: BTreeMap<&'a RunId, Vec<QueuePlace>> = BTreeMap::new();
    for (waiting, position) in order(runs).into_iter().zip(1..) {
        places.entry(waiting.run).or_default().push(QueuePlace {
            variation: waiting.variation,
            position,
        });
    }
    places
}

fn waiting_of<'a>(
    (run, summary): (&'a RunId, &'a Summary),
) -> impl Iterator<Item = Waiting<'a>> + use<'a> {
    let all = Variation::first(summary.variations.len()).zip(&summary.variations);
    all.filter(|(_, v)| v.state == State::Queued)
        .map(move |(variation, v)| Waiting {
            run,
            variation,
            attempt: v.attempt,
            requester: summary.requester.as_deref(),
            queued: v.queued,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Mode, RunSpec, VariationSpec};
    use crate::summary::Move;
    use crate::time::Timestamp;

    fn run(request: u64, count: usize) -> Summary {
        let variation = VariationSpec {
            model: "m".into(),
            temperature: None,
            instructions: None,
        };
        let spec = RunSpec {
            prompt: "p".into(),
            source: None,
            mode: Mode::Analyze,
            variations: vec![variation; count],
            deadline_s: 1,
            requester: None,
        };
        Summary::accepted(&spec, "sha".into(), request, Timestamp::default())
    }

    fn ended(summary: &Summary, index: usize) -> Summary {
        let wanted = Move {
            variation: Variation::at(index).unwrap(),
            attempt: Attempt::FIRST,
            to: State::Failed,
            reason: None,
            ending: None,
            command: None,
            at: Timestamp::default(),
        };
        summary.moved(wanted).unwrap().0
    }

    #[test]
    fn first_come_is_first_and_a_retry_goes_behind_everything_that_waits() {
        let (early, late): (RunId, RunId) = ("z-early".parse().unwrap(), "a-late".parse().unwrap());
        let first = ended(&run(3, 2), 0);
        let (first, _) = first
            .retried(Variation::at(0).unwrap(), 9, Timestamp::default())
            .unwrap();
        let second = run(5, 2);
        let runs = [(&late, &second), (&early, &first)];
        let order: Vec<_> = order(runs)
            .into_iter()
            .map(|w| (w.run.as_str(), w.variation.index(), w.attempt.get()))
            .collect();
        assert_eq!(
            order,
            [
                ("z-early", 1, 1),
                ("a-late", 0, 1),
                ("a-late", 1, 1),
                ("z-early", 0, 2)
            ]
        );
        let places = places(runs);
        let of = |run| {
            let of_run: Vec<_> = places[run]
                .iter()
                .map(|p| (p.variation.index(), p.position))
                .collect();
            of_run
        };
        assert_eq!(of(&early), [(1, 1), (0, 4)]);
        assert_eq!(of(&late), [(0, 2), (1, 3)]);
    }

    #[test]
    fn what_runs_or_has_ended_has_no_place() {
        let id: RunId = "a".parse().unwrap();
        let summary = ended(&run(1, 1), 0);
        assert!(order([(&id, &summary)]).is_empty());
        assert!(places([(&id, &summary)]).is_empty());
    }
}
