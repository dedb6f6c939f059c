//! What may be shown when. All pure.

use aideator_contract::event::OutHead;

use super::message::Known;

/// What becomes of the next event of a variation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is shown.
    Show,
    /// It is never shown: seen before, of an older attempt, or behind the attempt's end.
    Drop,
    /// It is shown once the state log, as shown, has come to its attempt.
    Wait,
}

/// Judges an event stored at `sequence`, after `last` was shown, while the state log as shown knows
/// `known` of the variation and the entries that wait to be shown say `coming`.
pub fn judge(
    event: OutHead,
    sequence: u64,
    last: Option<OutHead>,
    known: Option<&Known>,
    mut coming: impl Iterator<Item = Known>,
) -> Verdict {
    if last.is_some_and(|last| event <= last) {
        return Verdict::Drop;
    }
    let Some(known) = known else {
        return Verdict::Wait;
    };
    if event.attempt > known.attempt {
        return Verdict::Wait;
    }
    let ends_before = |known: &Known| {
        known.attempt == event.attempt && known.bound().is_some_and(|end| sequence > end)
    };
    if event.attempt < known.attempt
        || ends_before(known)
        || coming.any(|known| ends_before(&known))
    {
        return Verdict::Drop;
    }
    Verdict::Show
}

/// Whether events are missing between two that are shown one after the other.
#[must_use]
pub fn is_gap(last: Option<OutHead>, event: OutHead) -> bool {
    match last {
        Some(last) if last.attempt == event.attempt => event.n > last.n + 1,
        _ => event.n > 0,
    }
}

#[cfg(test)]
mod tests {
    use aideator_contract::{Attempt, State};

    use super::*;

    fn event(attempt: u32, n: u64) -> OutHead {
        OutHead {
            attempt: Attempt::new(attempt).unwrap(),
            n,
        }
    }

    fn known(attempt: u32, state: State, end: Option<u64>) -> Known {
        Known {
            state,
            attempt: Attempt::new(attempt).unwrap(),
            end,
        }
    }

    fn verdict(event: OutHead, known: Option<Known>, coming: Option<Known>) -> Verdict {
        judge(event, 10, None, known.as_ref(), coming.into_iter())
    }

    #[test]
    fn an_attempt_waits_until_the_shown_state_knows_it() {
        let running = Some(known(1, State::Running, None));
        assert_eq!(verdict(event(1, 0), None, running), Verdict::Wait);
        assert_eq!(verdict(event(2, 0), running, None), Verdict::Wait);
        assert_eq!(verdict(event(1, 0), running, None), Verdict::Show);
    }

    #[test]
    fn nothing_of_an_attempt_is_shown_beyond_its_end() {
        let running = Some(known(1, State::Running, None));
        let ended = |end| Some(known(1, State::Failed, Some(end)));
        assert_eq!(verdict(event(1, 0), ended(9), None), Verdict::Drop);
        assert_eq!(verdict(event(1, 0), ended(10), None), Verdict::Show);
        assert_eq!(verdict(event(1, 0), running, ended(9)), Verdict::Drop);
        assert_eq!(
            verdict(event(1, 0), Some(known(2, State::Queued, None)), None),
            Verdict::Drop
        );
    }

    #[test]
    fn an_event_is_shown_once() {
        let running = known(2, State::Running, None);
        let again = |last| {
            judge(
                event(2, 3),
                10,
                Some(last),
                Some(&running),
                std::iter::empty(),
            )
        };
        assert_eq!(again(event(2, 3)), Verdict::Drop);
        assert_eq!(again(event(2, 4)), Verdict::Drop);
        assert_eq!(again(event(1, 9)), Verdict::Show);
    }

    #[test]
    fn a_missing_n_is_a_gap() {
        assert!(!is_gap(None, event(1, 0)));
        assert!(is_gap(None, event(1, 1)));
        assert!(!is_gap(Some(event(1, 4)), event(1, 5)));
        assert!(is_gap(Some(event(1, 4)), event(1, 6)));
        assert!(!is_gap(Some(event(1, 4)), event(2, 0)));
    }
}
