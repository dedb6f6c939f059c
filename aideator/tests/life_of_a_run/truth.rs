//! What must be true of every stored message. A lie ends the test.

use std::collections::{BTreeMap, BTreeSet};

use aideator_bus::Stored;
use aideator_contract::attempt::AttemptEvent;
use aideator_contract::subject::Place;
use aideator_contract::{
    Attempt, AttemptRecord, Change, Event, OutMessage, RunId, State, StateMessage, Summary,
    Variation,
};

type Key = (RunId, Variation, Attempt);

#[derive(Debug, Default)]
pub(crate) struct Truth {
    summaries: BTreeMap<RunId, Summary>,
    accepted: BTreeMap<RunId, u64>,
    opened: BTreeMap<(RunId, Variation), Attempt>,
    closed: BTreeSet<Key>,
    outputs: BTreeMap<Key, Output>,
    applied: BTreeSet<(RunId, u64)>,
    refused: BTreeSet<u64>,
}

/// What an attempt has said, as readers see it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Output {
    pub(crate) text: String,
    pub(crate) next_n: u64,
    pub(crate) last: u64,
    process: Option<String>,
}

impl Truth {
    pub(crate) fn runs(&self) -> Vec<RunId> {
        self.summaries.keys().cloned().collect()
    }

    pub(crate) fn summaries(&self) -> impl Iterator<Item = (&RunId, &Summary)> {
        self.summaries.iter()
    }

    pub(crate) fn output(&self, run: &RunId, variation: Variation, attempt: Attempt) -> Output {
        self.outputs
            .get(&(run.clone(), variation, attempt))
            .cloned()
            .unwrap_or_default()
    }

    /// A dead letter was stored.
    pub(crate) fn refused(&mut self, sequence: u64) {
        assert!(
            !self.applied.iter().any(|(_, applied)| *applied == sequence),
            "command {sequence} was applied and is refused"
        );
        self.refused.insert(sequence);
    }

    pub(crate) fn is_refused(&self, sequence: u64) -> bool {
        self.refused.contains(&sequence)
    }

    pub(crate) fn refusals(&self) -> usize {
        self.refused.len()
    }

    pub(crate) fn stored(&mut self, stored: &Stored) {
        match Place::parse(&stored.subject).unwrap() {
            Place::State(run) => {
                self.state(&run, serde_json::from_slice(&stored.payload).unwrap());
            }
            Place::Attempt(run, v) => {
                self.attempt(run, v, &serde_json::from_slice(&stored.payload).unwrap());
            }
            Place::Out(run, v) => {
                let message: OutMessage = serde_json::from_slice(&stored.payload).unwrap();
                self.may_write(&(run.clone(), v, message.attempt));
                self.out(&(run, v, message.attempt), stored.sequence, message);
            }
            Place::Report(run, v) => {
                let report: aideator_contract::ReportMessage =
                    serde_json::from_slice(&stored.payload).unwrap();
                self.may_write(&(run, v, report.attempt));
            }
        }
    }

    /// P4: nothing is stored of an attempt that is closed or not the newest.
    fn may_write(&self, key: &Key) {
        assert!(
            !self.closed.contains(key),
            "a closed attempt wrote: {key:?}"
        );
        let newest = self.opened.get(&(key.0.clone(), key.1));
        assert_eq!(
            newest,
            Some(&key.2),
            "an attempt that is not the newest wrote"
        );
    }

    fn attempt(&mut self, run: RunId, v: Variation, record: &AttemptRecord) {
        let newest = self.opened.get(&(run.clone(), v)).copied();
        match record.event {
            AttemptEvent::Opened { .. } => {
                assert!(
                    newest < Some(record.attempt),
                    "{run}.{v}: opened twice: {record:?}"
                );
                assert!(
                    !self.closed.contains(&(run.clone(), v, record.attempt)),
                    "opened after closed"
                );
                self.opened.insert((run, v), record.attempt);
            }
            AttemptEvent::Closed { .. } => {
                self.closed.insert((run, v, record.attempt));
            }
        }
    }

    /// P1, where it begins: of every attempt the messages count up without a hole, by one process.
    fn out(&mut self, key: &Key, sequence: u64, message: OutMessage) {
        let output = self.outputs.entry(key.clone()).or_default();
        output.last = sequence;
        if message.n < output.next_n {
            return; // Stored twice; readers drop it.
        }
        assert_eq!(message.n, output.next_n, "{key:?}: a message is missing");
        output.next_n += 1;
        match message.event {
            Event::Start { process, .. } => {
                assert_eq!(
                    output.process.replace(process),
                    None,
                    "{key:?}: two processes"
                );
            }
            Event::TextDelta { delta, .. } => output.text.push_str(&delta),
            _ => {}
        }
    }

    fn state(&mut self, run: &RunId, message: StateMessage) {
        let summary = message.summary;
        if let Change::Accepted { .. } = message.change {
            let times = self.accepted.entry(run.clone()).or_default();
            *times += 1;
            assert_eq!(*times, 1, "run {run} was accepted twice");
        }
        for command in &summary.applied {
            let known = self
                .summaries
                .get(run)
                .is_some_and(|before| before.has_applied(*command));
            if !known {
                let new = self.applied.insert((run.clone(), *command));
                assert!(new, "command {command} was applied twice to {run}");
                assert!(
                    !self.refused.contains(command),
                    "command {command} was refused and is applied"
                );
            }
        }
        for (v, now) in Variation::first(summary.variations.len()).zip(&summary.variations) {
            let before = self.summaries.get(run).map(|s| &s.variations[v.index()]);
            self.variation(run, v, before, now);
        }
        self.summaries.insert(run.clone(), summary);
    }

    /// P3: states go forward, end once, after `closed`, with the true end of the output.
    fn variation(
        &self,
        run: &RunId,
        v: Variation,
        before: Option<&aideator_contract::VariationSummary>,
        now: &aideator_contract::VariationSummary,
    ) {
        if let Some(before) = before.filter(|before| before.attempt == now.attempt) {
            let forward = before.state == now.state || before.state.may_become(now.state);
            assert!(forward, "{run}.{v}: {} became {}", before.state, now.state);
            if before.state.is_terminal() {
                assert_eq!(before, now, "{run}.{v}: a terminal state changed");
                return;
            }
        } else if let Some(before) = before {
            assert!(
                before.state.is_terminal(),
                "{run}.{v}: retried while {}",
                before.state
            );
            assert_eq!(
                now.attempt,
                before.attempt.next(),
                "{run}.{v}: an attempt was skipped"
            );
        }
        if !now.state.is_terminal() {
            return;
        }
        let key = (run.clone(), v, now.attempt);
        assert!(
            self.closed.contains(&key),
            "{key:?}: {} before it was closed",
            now.state
        );
        let output = self.output(run, v, now.attempt);
        assert_eq!(now.end, Some(output.last), "{key:?}: a wrong end");
        if now.state == State::Succeeded {
            let digest = now.digest.as_ref().expect("success comes with a digest");
            assert_eq!(
                digest.sha256,
                aideator_contract::canonical::sha256_hex(output.text.as_bytes()),
                "{key:?}: the text is not what the model said"
            );
        }
    }
}
