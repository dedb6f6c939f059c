//! A run as a viewer knows it: a pure function of what the stream told, in whatever pieces it came.

use aideator_contract::summary::Pick;
use aideator_contract::{Change, OutMessage, Reason, RunSpec, StateMessage, Status};

use super::Pane;
use crate::api::Told;

/// A run on screen.
#[derive(Debug, Default)]
pub(crate) struct Board {
    /// What was asked, once known.
    pub(crate) spec: Option<RunSpec>,
    /// Where the run is, once known.
    pub(crate) status: Option<Status>,
    /// Why the request was refused.
    pub(crate) refused: Option<Reason>,
    /// Which variation is best, if somebody said so.
    pub(crate) pick: Option<Pick>,
    /// The variations.
    pub(crate) panes: Vec<Pane>,
    /// Everything of the past was told.
    pub(crate) caught_up: bool,
    /// What is missing, in the server's words.
    pub(crate) gaps: Vec<String>,
}

impl Board {
    /// Takes in what was told. True if it was news: an event that was there before changes nothing.
    pub(crate) fn apply(&mut self, told: &Told) -> bool {
        match told {
            Told::Out(out, _) => self.out(out),
            Told::State(state, _) => {
                self.state(state);
                true
            }
            Told::CaughtUp => {
                self.caught_up = true;
                true
            }
            Told::Gap(reason) => {
                self.gaps.push(reason.clone());
                true
            }
            Told::Lost(_) => false,
        }
    }

    /// All variations succeeded, the run being finished.
    pub(crate) fn succeeded(&self) -> bool {
        use aideator_contract::State::Succeeded;
        self.status == Some(Status::Finished)
            && self
                .panes
                .iter()
                .all(|pane| pane.state() == Some(Succeeded))
    }

    fn out(&mut self, out: &OutMessage) -> bool {
        self.room(out.variation.index() + 1);
        self.panes
            .get_mut(out.variation.index())
            .is_some_and(|pane| pane.out(out))
    }

    fn state(&mut self, state: &StateMessage) {
        match &state.change {
            Change::Accepted { spec } => self.spec = Some((**spec).clone()),
            Change::Rejected { error } => self.refused = Some(error.clone()),
            Change::Moved { .. } | Change::Picked { .. } | Change::Noted => {}
        }
        self.status = Some(state.summary.status);
        self.pick.clone_from(&state.summary.pick);
        self.room(state.summary.variations.len());
        for (pane, summary) in self.panes.iter_mut().zip(&state.summary.variations) {
            pane.state_is(summary);
        }
    }

    fn room(&mut self, count: usize) {
        while self.panes.len() < count {
            self.panes.push(Pane::default());
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// What a server would tell, from JSON.
    pub(crate) fn told(text: &serde_json::Value) -> Told {
        if text.get("change").is_some() {
            Told::State(
                Box::new(serde_json::from_value(text.clone()).unwrap()),
                text.to_string(),
            )
        } else {
            Told::Out(
                Box::new(serde_json::from_value(text.clone()).unwrap()),
                text.to_string(),
            )
        }
    }

    pub(crate) fn delta(variation: u8, attempt: u32, n: u64, text: &str) -> Told {
        told(
            &json!({"v":1,"run":"r","variation":variation,"attempt":attempt,"n":n,"ts":1000 + n,
            "type":"text-delta","id":"t1","delta":text}),
        )
    }

    pub(crate) fn moved(variations: &serde_json::Value) -> Told {
        let over = variations
            .as_array()
            .unwrap()
            .iter()
            .all(|v| v["state"] == "succeeded");
        let full: Vec<_> = variations
            .as_array()
            .unwrap()
            .iter()
            .map(|v| {
                let mut full =
                    json!({"state":"queued","attempt":1,"model":"m","since":1000,"queued":1});
                for (name, value) in v.as_object().unwrap() {
                    full[name] = value.clone();
                }
                full
            })
            .collect();
        told(&json!({"v":1,"run":"r","ts":2000,"change":{"type":"noted"},
            "summary":{"status": if over {"finished"} else {"open"},"request_sha256":"","created":1000,"variations":full}}))
    }

    fn answer(board: &Board, index: usize) -> String {
        board.panes[index].answer()
    }

    #[test]
    fn what_was_there_before_changes_nothing() {
        let mut board = Board::default();
        assert!(board.apply(&delta(0, 1, 1, "a")));
        assert!(!board.apply(&delta(0, 1, 1, "a")));
        assert!(board.apply(&delta(0, 1, 2, "b")));
        assert!(!board.apply(&delta(0, 1, 1, "a")));
        assert_eq!(answer(&board, 0), "ab");
    }

    #[test]
    fn a_newer_attempt_begins_again_and_an_older_one_is_over() {
        let mut board = Board::default();
        board.apply(&delta(1, 1, 7, "old"));
        board.apply(&delta(1, 2, 1, "new"));
        board.apply(&delta(1, 1, 8, "late"));
        assert_eq!(answer(&board, 1), "new");
    }

    #[test]
    fn a_step_that_is_reset_takes_its_text_back() {
        let mut board = Board::default();
        let event = |n: u64, rest: serde_json::Value| {
            let mut event = json!({"v":1,"run":"r","variation":0,"attempt":1,"n":n,"ts":1});
            for (name, value) in rest.as_object().unwrap() {
                event[name] = value.clone();
            }
            told(&event)
        };
        board.apply(&delta(0, 1, 1, "kept "));
        board.apply(&event(2, json!({"type":"start-step"})));
        board.apply(&event(
            3,
            json!({"type":"text-delta","id":"t2","delta":"void"}),
        ));
        board.apply(&event(4, json!({"type":"reset-step","reason":"again"})));
        board.apply(&event(
            5,
            json!({"type":"text-delta","id":"t2","delta":"good"}),
        ));
        assert_eq!(answer(&board, 0), "kept good");
    }

    #[test]
    fn a_run_has_succeeded_when_every_variation_has() {
        let mut board = Board::default();
        board.apply(&moved(&json!([{"state":"succeeded"},{"state":"running"}])));
        assert!(!board.succeeded());
        board.apply(&moved(
            &json!([{"state":"succeeded"},{"state":"succeeded"}]),
        ));
        assert!(board.succeeded());
    }

    proptest! {
        /// Every viewer's text is the same, however often and from wherever it resumed.
        #[test]
        fn overlaps_of_resumes_show_the_same_text(starts in proptest::collection::vec(0usize..30, 0..6)) {
            let events: Vec<Told> = (0..30).map(|n| delta(0, 1, n, &format!("{n};"))).collect();
            let mut once = Board::default();
            events.iter().for_each(|event| { once.apply(event); });
            let mut often = Board::default();
            let mut reached = 0;
            for start in starts.into_iter().chain([0]) {
                let from = start.min(reached);
                reached = (reached + 9).min(30);
                events[from..reached].iter().for_each(|event| { often.apply(event); });
            }
            events[reached..].iter().for_each(|event| { often.apply(event); });
            prop_assert_eq!(often.panes[0].answer(), once.panes[0].answer());
        }
    }
}
