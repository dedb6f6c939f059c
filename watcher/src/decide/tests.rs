use aideator_contract::local::ExitStatus;
use aideator_contract::report::Done;
use aideator_contract::usage::Digest;
use aideator_contract::{
    Attempt, Change, Code, Mode, Outcome, Reason, RunId, RunSpec, Startup, Summary, Timestamp,
    VariationSpec,
};

use super::*;

mod model;

const SECOND: u64 = 1000;

pub(crate) fn spec(variations: usize) -> RunSpec {
    let one = VariationSpec {
        model: "m".into(),
        temperature: None,
        instructions: None,
    };
    RunSpec {
        prompt: "p".into(),
        source: None,
        mode: Mode::Analyze,
        variations: vec![one; variations],
        deadline_s: 60,
        requester: None,
    }
}

pub(crate) fn run() -> RunId {
    "r".parse().unwrap()
}

pub(crate) fn variation(index: usize) -> Variation {
    Variation::at(index).unwrap()
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn done(outcome: Outcome) -> Report {
    Report::Done(Box::new(Done {
        outcome,
        usage: None,
        digest: Digest {
            sha256: "d".into(),
            bytes: 1,
        },
        out_n: 0,
    }))
}

fn exited(code: Option<i32>, signal: Option<i32>) -> Observation {
    Observation::Exited(ExitStatus {
        code,
        signal,
        at: at(0),
    })
}

/// A run of one variation whose attempt was opened at 0 and which then came into `state` at 0.
fn view(state: State) -> View {
    let mut summary = Summary::accepted(&spec(1), "s".into(), 1, at(0));
    if state != State::Queued {
        let to = Move {
            variation: variation(0),
            attempt: Attempt::FIRST,
            to: state,
            reason: None,
            ending: None,
            command: None,
            at: at(0),
        };
        summary = summary.moved(to).unwrap().0;
    }
    let attempt = spec(1)
        .attempt(&run(), variation(0), Attempt::FIRST, 1)
        .unwrap();
    let change = Change::Accepted {
        spec: Box::new(spec(1)),
    };
    View {
        run: run(),
        open_key: Some(3),
        sequence: 7,
        state: StateMessage::new(run(), at(0), change, summary),
        variations: vec![VariationView {
            variation: variation(0),
            record: Some((5, AttemptRecord::opened(attempt, at(0)))),
            report: None,
            out: 0,
            observation: Observation::Running,
            startup: Startup::default(),
        }],
        now: at(SECOND),
    }
}

impl View {
    fn report(mut self, report: Report) -> Self {
        self.variations[0].report = Some(report);
        self
    }

    fn seen(mut self, observation: Observation) -> Self {
        self.variations[0].observation = observation;
        self
    }

    fn at_second(mut self, second: u64) -> Self {
        self.now = at(second * SECOND);
        self
    }

    fn closed(mut self, cause: Cause) -> Self {
        let record = AttemptRecord::closed(Attempt::FIRST, cause, at(SECOND));
        self.variations[0].record = Some((8, record));
        self
    }

    fn next(&self) -> Option<Effect> {
        next(self, &Limits::default())
    }

    /// The cause with which the attempt is closed next.
    fn closes(&self) -> Option<Cause> {
        match self.next() {
            Some(Effect::Close { record, after, .. }) => {
                assert_eq!(after, 5);
                match record.event {
                    AttemptEvent::Closed { cause } => Some(cause),
                    AttemptEvent::Opened { .. } => panic!("it opens"),
                }
            }
            _ => None,
        }
    }

    /// The variation as it is after the next move.
    fn moves(&self) -> Option<VariationSummary> {
        match self.next() {
            Some(Effect::Move { message, after }) => {
                assert_eq!(after, 7);
                Some(message.summary.variations[0].clone())
            }
            _ => None,
        }
    }

    fn moves_to(&self) -> Option<State> {
        self.moves().map(|v| v.state)
    }
}

#[test]
fn reports_move_a_variation_on_and_never_back() {
    let ready = |state| view(state).report(Report::Ready).moves_to();
    assert_eq!(ready(State::Queued), Some(State::Starting));
    assert_eq!(ready(State::Scheduling), Some(State::Starting));
    assert_eq!(ready(State::Starting), None);
    assert_eq!(ready(State::Running), None);
    assert_eq!(ready(State::Cancelling), None);
    let token = |state| {
        view(state)
            .report(Report::FirstToken { ttft_ms: 1 })
            .moves_to()
    };
    assert_eq!(token(State::Queued), Some(State::Running));
    assert_eq!(token(State::Starting), Some(State::Running));
    assert_eq!(token(State::Running), None);
    assert_eq!(token(State::Cancelling), None);
}

#[test]
fn a_process_that_is_there_is_starting_once_it_is_scheduled() {
    assert_eq!(view(State::Scheduling).moves_to(), Some(State::Starting));
    assert_eq!(view(State::Queued).next(), None);
    assert_eq!(view(State::Starting).next(), None);
}

#[test]
fn a_last_word_closes_the_attempt_while_its_process_still_runs() {
    for state in [
        State::Queued,
        State::Scheduling,
        State::Running,
        State::Cancelling,
    ] {
        let closes = view(state).report(done(Outcome::Succeeded)).closes();
        assert_eq!(closes, Some(Cause::Reported));
    }
}

#[test]
fn the_end_of_a_process_closes_its_attempt_with_what_was_seen() {
    let running = || view(State::Running);
    let code = |code| running().seen(exited(Some(code), None)).closes();
    assert_eq!(code(0), Some(Cause::Exited { code: 0 }));
    assert_eq!(code(7), Some(Cause::Exited { code: 7 }));
    let killed = running().seen(exited(None, Some(9))).closes();
    assert_eq!(killed, Some(Cause::Killed { signal: 9 }));
    assert_eq!(
        running().seen(exited(None, None)).closes(),
        Some(Cause::Vanished)
    );
    assert_eq!(
        running().seen(Observation::Vanished).closes(),
        Some(Cause::Vanished)
    );
    assert_eq!(running().seen(Observation::Unknown).next(), None);
}

#[test]
fn a_process_that_spoke_and_left_no_trace_is_gone() {
    let spoke = view(State::Starting).report(Report::Ready);
    assert_eq!(
        spoke.seen(Observation::NotStarted).closes(),
        Some(Cause::Vanished)
    );
}

#[test]
fn whatever_ends_while_cancelling_is_cancelled() {
    for seen in [
        exited(Some(1), None),
        exited(None, Some(15)),
        Observation::Vanished,
    ] {
        assert_eq!(
            view(State::Cancelling).seen(seen).closes(),
            Some(Cause::Cancelled)
        );
    }
}

#[test]
fn a_cancel_of_what_never_started_waits_for_the_grace_and_no_longer() {
    let cancelling = || view(State::Cancelling).seen(Observation::NotStarted);
    assert_eq!(cancelling().at_second(10).next(), None);
    assert_eq!(cancelling().at_second(11).closes(), Some(Cause::Cancelled));
    let hanging = || view(State::Cancelling);
    assert_eq!(hanging().at_second(40).next(), None);
    assert_eq!(hanging().at_second(41).closes(), Some(Cause::Cancelled));
}

#[test]
fn an_attempt_that_never_starts_is_closed_after_the_start_allowance() {
    for state in [State::Queued, State::Scheduling] {
        let absent = || view(state).seen(Observation::NotStarted);
        assert_eq!(absent().at_second(300).next(), None);
        assert_eq!(absent().at_second(301).closes(), Some(Cause::StartTimeout));
    }
}

#[test]
fn the_deadline_ends_what_does_not_end_itself() {
    let running = || view(State::Running);
    assert_eq!(running().at_second(90).next(), None);
    assert_eq!(running().at_second(91).closes(), Some(Cause::Deadline));
    let starting = || view(State::Starting).report(Report::Ready);
    assert_eq!(starting().at_second(90).next(), None);
    assert_eq!(starting().at_second(91).closes(), Some(Cause::Deadline));
    let unseen = || view(State::Scheduling).seen(Observation::Unknown);
    assert_eq!(unseen().at_second(390).next(), None);
    assert_eq!(unseen().at_second(391).closes(), Some(Cause::Deadline));
}

#[test]
fn a_closed_attempt_ends_by_its_last_word_above_what_was_seen() {
    let killed = Cause::Killed { signal: 9 };
    let succeeded = view(State::Running)
        .closed(killed.clone())
        .report(done(Outcome::Succeeded))
        .moves()
        .unwrap();
    assert_eq!(succeeded.state, State::Succeeded);
    assert!(succeeded.digest.is_some());
    let failed = view(State::Running).closed(killed).moves().unwrap();
    assert_eq!(failed.state, State::Failed);
    assert_eq!(failed.reason.unwrap().code, Code::Killed);
}

#[test]
fn the_end_of_the_output_comes_with_the_terminal_state() {
    let mut view = view(State::Running).closed(Cause::Vanished);
    view.variations[0].out = 42;
    assert_eq!(view.moves().unwrap().end, Some(42));
    view.variations[0].out = 0;
    assert_eq!(view.moves().unwrap().end, Some(0));
}

#[test]
fn what_somebody_else_closed_is_finished() {
    let reason = Reason::new(Code::LaunchFailed, "no such program");
    let not_started = Cause::NotStarted {
        reason: reason.clone(),
    };
    for state in [State::Queued, State::Scheduling, State::Cancelling] {
        let ended = view(state).closed(not_started.clone()).moves().unwrap();
        assert_eq!(ended.state, State::Failed);
        assert_eq!(ended.reason.as_ref(), Some(&reason));
    }
}

#[test]
fn a_cancelled_variation_keeps_who_asked_for_it() {
    let mut cancelling = view(State::Cancelling).closed(Cause::Cancelled);
    let reason = Reason::new(Code::Requested, "enough seen");
    cancelling.state.summary.variations[0].reason = Some(reason.clone());
    let ended = cancelling.moves().unwrap();
    assert_eq!(
        (ended.state, ended.reason),
        (State::Cancelled, Some(reason))
    );
}

#[test]
fn records_of_other_attempts_change_nothing() {
    let mut retried = view(State::Running).closed(Cause::Vanished);
    retried.state.summary.variations[0].state = State::Queued;
    retried.state.summary.variations[0].attempt = Attempt::FIRST.next();
    assert_eq!(retried.next(), None);
}

#[test]
fn a_variation_without_a_record_waits() {
    let mut waiting = view(State::Queued);
    waiting.variations[0].record = None;
    assert_eq!(waiting.at_second(1_000_000).next(), None);
}

#[test]
fn the_open_key_is_put_while_open_and_dropped_when_finished() {
    let mut open = view(State::Running).report(done(Outcome::Succeeded));
    open.open_key = None;
    assert_eq!(open.next(), Some(Effect::KeepOpen));
    let mut finished = view(State::Failed);
    finished.variations.clear();
    assert_eq!(finished.next(), Some(Effect::DropOpen { revision: 3 }));
    finished.open_key = None;
    assert_eq!(finished.next(), None);
}

fn quota() -> Reason {
    Reason::new(Code::Quota, "waits for the namespace's quota")
}

#[test]
fn what_is_out_of_reach_says_so_until_it_is_seen_again_or_its_deadline_is_over() {
    let silent = || Reason::new(Code::NodeLost, "the node does not answer");
    let out_of_reach = |state| view(state).seen(Observation::Unreachable(silent()));
    let began = out_of_reach(State::Scheduling).moves().unwrap();
    assert_eq!((began.state, began.reason), (State::Starting, None));
    for state in [State::Starting, State::Running] {
        let mut told = out_of_reach(state);
        let started = told.summary().variations[0].started;
        let moved = told.at_second(9).moves().unwrap();
        assert_eq!((moved.state, moved.reason), (state, Some(silent())));
        assert_eq!((moved.since, moved.started), (at(0), started));
        told = out_of_reach(state);
        told.state.summary.variations[0].reason = Some(silent());
        assert_eq!(told.next(), None);
        let seen_again = told.clone().seen(Observation::Running).moves().unwrap();
        assert_eq!((seen_again.state, seen_again.reason), (state, None));
        // Nobody knows, so nothing is taken back.
        assert_eq!(told.clone().seen(Observation::Unknown).next(), None);
        assert_eq!(told.at_second(1000).closes(), Some(Cause::Deadline));
    }
    assert_eq!(out_of_reach(State::Cancelling).next(), None);
    let given_up = out_of_reach(State::Cancelling).at_second(1000);
    assert_eq!(given_up.closes(), Some(Cause::Cancelled));
}

fn waiting(reason: Option<Reason>, since: Option<u64>) -> Observation {
    Observation::Waiting {
        reason,
        since: since.map(|second| at(second * SECOND)),
    }
}

#[test]
fn what_keeps_a_pod_is_told_once_and_taken_back() {
    let scheduling = view(State::Scheduling).seen(waiting(Some(quota()), None));
    let told = scheduling.moves().unwrap();
    assert_eq!(
        (told.state, told.reason),
        (State::Scheduling, Some(quota()))
    );
    let mut again = scheduling;
    again.state.summary.variations[0].reason = Some(quota());
    assert_eq!(again.next(), None);
    let freed = again.seen(waiting(None, Some(0)));
    assert_eq!(freed.moves().unwrap().reason.unwrap().code, Code::Waiting);
    assert_eq!(
        view(State::Scheduling).seen(waiting(None, Some(0))).next(),
        None
    );
}

#[test]
fn the_start_allowance_runs_from_the_admission_of_the_pod() {
    let held = || view(State::Scheduling).seen(waiting(None, None));
    assert_eq!(held().at_second(86_400).next(), None);
    let image = Reason::new(Code::ImagePull, "no such image");
    let pulling = || {
        let mut view = view(State::Scheduling).seen(waiting(Some(image.clone()), Some(100)));
        view.state.summary.variations[0].reason = Some(image.clone());
        view
    };
    assert_eq!(pulling().at_second(400).next(), None);
    let Some(Cause::Failed { reason }) = pulling().at_second(401).closes() else {
        panic!("it is given up");
    };
    assert_eq!(reason.code, Code::ImagePull);
    assert!(reason.message.contains("300 s: no such image"), "{reason}");
}

#[test]
fn a_job_that_kubernetes_does_not_take_waits_for_a_quota_and_ends_with_another_reason() {
    let held = |code| {
        let mut view = view(State::Queued).seen(Observation::Absent);
        view.state.summary.variations[0].reason = Some(Reason::new(code, "it says so"));
        view
    };
    assert_eq!(held(Code::Quota).at_second(86_400).next(), None);
    assert_eq!(held(Code::Kubernetes).at_second(300).next(), None);
    let Some(Cause::Failed { reason }) = held(Code::Kubernetes).at_second(301).closes() else {
        panic!("it is given up");
    };
    assert_eq!(reason.code, Code::Kubernetes);
    assert!(reason.message.ends_with("it says so"), "{reason}");
}

#[test]
fn what_a_queue_lets_go_has_the_whole_allowance() {
    let mut let_go = view(State::Scheduling)
        .seen(waiting(None, Some(0)))
        .at_second(1000);
    let_go.state.summary.variations[0].reason = Some(quota());
    let told = let_go.moves().unwrap();
    assert_eq!(told.since, at(1000 * SECOND));
    let_go.state.summary.variations[0] = told;
    let at_second = |second| let_go.clone().at_second(second);
    assert_eq!(at_second(1300).next(), None);
    assert_eq!(at_second(1301).closes(), Some(Cause::StartTimeout));
}

#[test]
fn what_has_spoken_did_begin_whatever_its_job_shows() {
    let spoken = view(State::Running).report(Report::FirstToken { ttft_ms: 1 });
    let spoken = spoken.seen(waiting(None, Some(0)));
    let mut long = spoken.at_second(301);
    if let Some((_, record)) = &mut long.variations[0].record
        && let AttemptEvent::Opened { spec } = &mut record.event
    {
        spec.deadline_s = 3600;
    }
    assert_eq!(long.next(), None);
}

#[test]
fn a_job_that_is_gone_ends_what_was_launched_and_nothing_else() {
    let absent = |state| view(state).seen(Observation::Absent);
    assert_eq!(absent(State::Queued).next(), None);
    for state in [State::Scheduling, State::Starting, State::Running] {
        let Some(Cause::Failed { reason }) = absent(state).closes() else {
            panic!("{state}");
        };
        assert_eq!(reason.code, Code::JobDeleted);
    }
    assert_eq!(absent(State::Cancelling).closes(), Some(Cause::Cancelled));
}

#[test]
fn the_cause_of_a_consequence_is_waited_for() {
    let lost = || {
        let reason = Reason::new(Code::HandsFailed, "the hands were lost");
        view(State::Running).report(done(Outcome::Failed { reason }))
    };
    assert_eq!(lost().next(), None);
    let memory = Reason::new(Code::OutOfMemory, "out of memory");
    let cause = Cause::Failed {
        reason: memory.clone(),
    };
    let seen = lost().seen(Observation::Failed(memory.clone()));
    assert_eq!(seen.closes(), Some(cause.clone()));
    assert_eq!(lost().closed(cause).moves().unwrap().reason, Some(memory));
    let exited = lost().seen(exited(Some(0), None));
    assert_eq!(exited.closes(), Some(Cause::Exited { code: 0 }));
    let cancelling = view(State::Cancelling)
        .report(done(Outcome::Failed {
            reason: Reason::new(Code::Terminated, "told to end"),
        }))
        .seen(Observation::Absent);
    assert_eq!(cancelling.closes(), Some(Cause::Cancelled));
}

#[test]
fn the_beginning_of_an_attempt_is_kept_on_its_variation() {
    let mut view = view(State::Scheduling);
    view.variations[0].startup.scheduled = Some(at(1));
    let started = view.moves().unwrap();
    assert_eq!(started.state, State::Starting);
    assert_eq!(started.startup.scheduled, Some(at(1)));
}
