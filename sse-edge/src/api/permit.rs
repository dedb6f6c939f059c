//! Whether a command makes sense for a run as it is. All pure; the submitter judges again.

use aideator_contract::{Code, Reason, Summary, Variation, VariationSummary};

/// A run, or one variation of it, is to be stopped.
pub(super) fn cancel(summary: &Summary, variation: Option<Variation>) -> Result<(), Reason> {
    let ended = match variation {
        Some(variation) => {
            let is = of(summary, variation)?.state;
            is.is_terminal()
                .then(|| format!("the variation has ended: it is {is}"))
        }
        None => summary
            .variations
            .iter()
            .all(|variation| variation.state.is_terminal())
            .then(|| "the run has ended".to_owned()),
    };
    ended.map_or(Ok(()), |words| {
        Err(Reason::new(Code::AlreadyFinished, words))
    })
}

/// A variation is to be tried again.
pub(super) fn retry(summary: &Summary, variation: Variation) -> Result<(), Reason> {
    let state = of(summary, variation)?.state;
    if state.is_terminal() {
        return Ok(());
    }
    let words = format!("the variation is {state}; only one that has ended can be tried again");
    Err(Reason::new(Code::NotFinished, words))
}

/// A variation is best.
pub(super) fn pick(summary: &Summary, variation: Variation) -> Result<(), Reason> {
    of(summary, variation).map(drop)
}

fn of(summary: &Summary, variation: Variation) -> Result<&VariationSummary, Reason> {
    summary
        .variation(variation)
        .map_err(|error| Reason::new(Code::UnknownVariation, error.to_string()))
}

#[cfg(test)]
mod tests {
    use aideator_contract::summary::Move;
    use aideator_contract::{Attempt, Mode, RunSpec, State, Timestamp, VariationSpec};

    use super::*;

    fn variation(index: usize) -> Variation {
        Variation::at(index).unwrap()
    }

    fn open() -> Summary {
        let one = VariationSpec {
            model: "m".into(),
            temperature: None,
            instructions: None,
        };
        let spec = RunSpec {
            prompt: "p".into(),
            source: None,
            mode: Mode::Analyze,
            variations: vec![one; 2],
            deadline_s: 1,
            requester: None,
        };
        Summary::accepted(&spec, "s".into(), 1, Timestamp::default())
    }

    fn ended(summary: &Summary, index: usize) -> Summary {
        let moved = summary.moved(Move {
            variation: variation(index),
            attempt: Attempt::FIRST,
            to: State::Cancelled,
            reason: None,
            ending: None,
            command: None,
            at: Timestamp::default(),
        });
        moved.unwrap().0
    }

    fn code(result: Result<(), Reason>) -> Option<Code> {
        result.err().map(|reason| reason.code)
    }

    #[test]
    fn what_has_ended_is_not_stopped() {
        let one = ended(&open(), 0);
        assert_eq!(code(cancel(&one, None)), None);
        assert_eq!(code(cancel(&one, Some(variation(1)))), None);
        let again = cancel(&one, Some(variation(0)));
        assert_eq!(code(again), Some(Code::AlreadyFinished));
        let both = ended(&one, 1);
        assert_eq!(code(cancel(&both, None)), Some(Code::AlreadyFinished));
        let rejected = Summary::rejected("s".into(), 1, Timestamp::default());
        assert_eq!(code(cancel(&rejected, None)), Some(Code::AlreadyFinished));
    }

    #[test]
    fn only_what_has_ended_is_tried_again() {
        assert_eq!(code(retry(&open(), variation(0))), Some(Code::NotFinished));
        assert_eq!(code(retry(&ended(&open(), 0), variation(0))), None);
    }

    #[test]
    fn a_variation_the_run_does_not_have_is_named() {
        let unknown = Some(Code::UnknownVariation);
        assert_eq!(code(pick(&open(), variation(2))), unknown);
        assert_eq!(code(retry(&open(), variation(4))), unknown);
        assert_eq!(code(cancel(&open(), Some(variation(3)))), unknown);
        assert_eq!(code(pick(&open(), variation(1))), None);
    }
}
