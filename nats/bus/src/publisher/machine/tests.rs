use aideator_contract::{Attempt, OutMessage, RunId, Variation};
use proptest::prelude::*;

use super::super::protocol::Outgoing;
use super::*;

const FENCE: u64 = 10;
/// The luck of a step at which nothing goes wrong.
const FAIR: u8 = 39;

fn speaker(process: &str) -> Speaker {
    Speaker {
        run: "r".parse::<RunId>().unwrap(),
        variation: Variation::at(0).unwrap(),
        attempt: Attempt::FIRST,
        process: process.to_owned(),
    }
}

fn machine(process: &str) -> Machine {
    Machine::new(
        speaker(process),
        FENCE,
        "m".to_owned(),
        Timestamp::default(),
    )
}

fn claimed() -> Machine {
    let mut machine = machine("p");
    machine.action();
    machine.apply(Input::Stored);
    machine
}

fn text(delta: &str) -> Event {
    Event::TextDelta {
        id: "t".into(),
        delta: delta.into(),
    }
}

fn push(machine: &mut Machine, delta: &str) {
    machine.push(text(delta), Timestamp::default()).unwrap();
}

fn sent(machine: &mut Machine) -> OutMessage {
    match machine.action() {
        Action::Send(message) => serde_json::from_slice(&message.payload).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn seen(sequence: u64, n: u64, process: Option<&str>) -> Input {
    let process = process.map(str::to_owned);
    Input::Out(Some(OutSeen {
        sequence,
        attempt: Attempt::FIRST,
        n,
        process,
    }))
}

#[test]
fn the_first_message_is_start_and_expects_that_nobody_wrote() {
    let mut machine = machine("p");
    let Action::Send(start) = machine.action() else {
        panic!()
    };
    assert_eq!(start.subject.as_str(), "aideator.runs.r.0.out");
    assert_eq!(start.filter.as_str(), "aideator.runs.r.0.*");
    assert_eq!(
        (start.sequence, start.msg_id.as_str()),
        (FENCE, "r.0.1.p.0")
    );
    assert!(!machine.is_claimed());
    machine.apply(Input::Stored);
    assert!(machine.is_claimed());
    assert_eq!(machine.stored_n(), Some(0));
}

#[test]
fn what_is_said_while_a_message_is_in_flight_is_joined() {
    let mut machine = claimed();
    push(&mut machine, "a");
    assert_eq!(sent(&mut machine).event, text("a"));
    push(&mut machine, "b");
    push(&mut machine, "c");
    assert_eq!(sent(&mut machine).event, text("a"));
    machine.apply(Input::Stored);
    let joined = sent(&mut machine);
    assert_eq!((joined.n, joined.event), (2, text("bc")));
    assert_eq!((machine.settled(), machine.pushes()), (2, 4));
    machine.apply(Input::Stored);
    assert_eq!(machine.settled(), 4);
    assert_eq!(machine.action(), Action::Idle);
}

#[test]
fn later_messages_stand_behind_the_attempt_and_reports_count_for_themselves() {
    let mut machine = claimed();
    machine.report(Report::Ready, Timestamp::default());
    push(&mut machine, "a");
    let Action::Send(report) = machine.action() else {
        panic!()
    };
    assert_eq!(report.subject.as_str(), "aideator.runs.r.0.report");
    assert_eq!(report.filter.as_str(), "aideator.runs.r.0.attempt");
    assert_eq!(
        (report.sequence, report.msg_id.as_str()),
        (FENCE, "r.0.1.p.r0")
    );
    machine.apply(Input::Stored);
    assert_eq!(sent(&mut machine).n, 1);
}

#[test]
fn a_conflict_ends_it_only_if_the_attempt_has_changed() {
    let mut machine = claimed();
    push(&mut machine, "a");
    machine.action();
    machine.apply(Input::Failed(Failure::Conflict));
    assert_eq!(machine.action(), Action::ReadAttempt);
    machine.apply(Input::Attempt(Some(FENCE)));
    assert_eq!(machine.action(), Action::Wait(Duration::from_millis(1)));
    machine.apply(Input::Waited);
    assert_eq!(sent(&mut machine).n, 1);
    machine.apply(Input::Failed(Failure::Conflict));
    machine.apply(Input::Attempt(Some(FENCE + 3)));
    assert_eq!(machine.action(), Action::End(Ended::Superseded));
    machine.apply(Input::Stored);
    assert_eq!(machine.ended(), Some(&Ended::Superseded));
}

#[test]
fn a_lost_ack_is_looked_for_before_the_message_is_sent_again() {
    for (stored, next) in [(0, 1), (1, 2)] {
        let mut machine = claimed();
        push(&mut machine, "a");
        machine.action();
        push(&mut machine, "b");
        machine.apply(Input::Failed(Failure::Away));
        assert_eq!(machine.action(), Action::ReadOut);
        machine.apply(Input::Unread);
        assert!(matches!(machine.action(), Action::Wait(_)));
        machine.apply(Input::Waited);
        machine.apply(seen(12, stored, None));
        machine.apply(Input::Waited);
        assert_eq!(sent(&mut machine).n, next);
    }
}

#[test]
fn who_won_without_hearing_it_learns_it_and_who_lost_too() {
    for (process, ended) in [("p", None), ("q", Some(&Ended::Outrun))] {
        let mut machine = machine("p");
        machine.action();
        machine.apply(Input::Failed(Failure::Away));
        machine.apply(Input::Waited);
        machine.action();
        machine.apply(Input::Failed(Failure::Conflict));
        machine.apply(Input::Attempt(Some(FENCE)));
        assert_eq!(machine.action(), Action::ReadOut);
        machine.apply(seen(FENCE + 1, 0, Some(process)));
        assert_eq!(machine.ended(), ended);
        assert_eq!(machine.is_claimed(), ended.is_none());
    }
}

#[test]
fn an_older_attempts_words_decide_nothing() {
    let mut machine = machine("p");
    machine.action();
    machine.apply(Input::Failed(Failure::Conflict));
    machine.apply(Input::Attempt(None));
    machine.apply(seen(FENCE - 1, 0, Some("older")));
    assert!(matches!(machine.action(), Action::Wait(_)));
    machine.apply(Input::Waited);
    assert_eq!(sent(&mut machine).n, 0);
}

#[test]
fn pauses_grow_to_a_bound_and_begin_again_after_a_success() {
    let mut machine = claimed();
    push(&mut machine, "a");
    let mut pauses = Vec::new();
    for _ in 0..9 {
        machine.action();
        machine.apply(Input::Failed(Failure::Undecided));
        if let Action::Wait(pause) = machine.action() {
            pauses.push(pause.as_millis());
        }
        machine.apply(Input::Waited);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    machine.action();
    machine.apply(Input::Stored);
    push(&mut machine, "b");
    machine.action();
    machine.apply(Input::Failed(Failure::Full));
    assert_eq!(machine.action(), Action::Wait(Duration::from_millis(8)));
}

/// Enough of AIDEATOR_RUNS: one variation, and replicas that lag.
#[derive(Default)]
struct Stream {
    /// `(sequence, message)` on `.out`; the same for reports.
    out: Vec<(u64, Outgoing)>,
    reports: Vec<(u64, Outgoing)>,
    attempt: u64,
    last: u64,
    known_ids: Vec<String>,
    deduplicates: bool,
}

impl Stream {
    fn append(&mut self, message: &Outgoing) -> Result<(), Failure> {
        let last = match message.filter.as_str() {
            "aideator.runs.r.0.attempt" => self.attempt,
            _ => self.last,
        };
        if last != message.sequence {
            return Err(Failure::Conflict);
        }
        if self.deduplicates && self.known_ids.contains(&message.msg_id) {
            return Ok(());
        }
        self.known_ids.push(message.msg_id.clone());
        self.last += 1;
        let log = match message.subject.as_str() {
            "aideator.runs.r.0.out" => &mut self.out,
            _ => &mut self.reports,
        };
        log.push((self.last, message.clone()));
        Ok(())
    }

    fn close(&mut self) {
        self.last += 1;
        self.attempt = self.last;
    }

    /// What a replica says that is `behind` messages behind on `.out`.
    fn read_out(&self, behind: usize) -> Input {
        let seen = self.out.len().checked_sub(behind + 1).map(|index| {
            let (sequence, message) = &self.out[index];
            let message: OutMessage = serde_json::from_slice(&message.payload).unwrap();
            OutSeen {
                sequence: *sequence,
                attempt: message.attempt,
                n: message.n,
                process: match message.event {
                    Event::Start { process, .. } => Some(process),
                    _ => None,
                },
            }
        });
        Input::Out(seen)
    }

    /// The text a reader shows: what is not above the last `n` is dropped.
    fn text(&self) -> (Option<String>, String) {
        let (mut process, mut text, mut last) = (None, String::new(), None);
        for (_, message) in &self.out {
            let message: OutMessage = serde_json::from_slice(&message.payload).unwrap();
            if last.is_some_and(|last| message.n <= last) {
                continue;
            }
            assert_eq!(message.n, last.map_or(0, |last| last + 1), "a gap");
            last = Some(message.n);
            match message.event {
                Event::TextDelta { delta, .. } => text.push_str(&delta),
                Event::Start { process: who, .. } => process = Some(who),
                other => panic!("{other:?}"),
            }
        }
        (process, text)
    }
}

struct Process {
    machine: Machine,
    said: String,
    alive: bool,
}

impl Process {
    fn step(&mut self, luck: u8, stream: &mut Stream, delayed: &mut Vec<Outgoing>) {
        let input = match self.machine.action() {
            Action::Idle | Action::End(_) => return,
            Action::Wait(_) => Input::Waited,
            Action::ReadAttempt if luck.is_multiple_of(7) => Input::Attempt(Some(FENCE)),
            Action::ReadAttempt => Input::Attempt(Some(stream.attempt)),
            Action::ReadOut if luck.is_multiple_of(5) => Input::Unread,
            Action::ReadOut => stream.read_out(usize::from(luck % 3)),
            Action::Send(message) => match luck % 8 {
                0 => Input::Failed(Failure::Away),
                1 => {
                    delayed.push(message);
                    Input::Failed(Failure::Away)
                }
                2 => {
                    let _ = stream.append(&message);
                    Input::Failed(Failure::Away)
                }
                3 => Input::Failed(Failure::Undecided),
                4 if luck > 200 => Input::Failed(Failure::Conflict),
                5 => Input::Failed(Failure::Full),
                _ => match stream.append(&message) {
                    Ok(()) => Input::Stored,
                    Err(failure) => Input::Failed(failure),
                },
            },
        };
        self.machine.apply(input);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_schedule_loses_doubles_or_reorders_text_or_lets_two_write(
        schedule in prop::collection::vec(any::<(u8, u8)>(), 0..300),
        deduplicates: bool,
    ) {
        let mut stream =
            Stream { attempt: FENCE, last: FENCE, deduplicates, ..Stream::default() };
        let mut delayed = Vec::new();
        let mut processes = ["p", "q"].map(|name| Process {
            machine: machine(name),
            said: String::new(),
            alive: true,
        });
        let mut closed_at = None;
        for (index, (what, luck)) in schedule.iter().enumerate() {
            let process = &mut processes[usize::from(what % 2)];
            match what / 2 {
                0..=50 if process.alive => {
                    let word = format!("{index} ");
                    push(&mut process.machine, &word);
                    process.said.push_str(&word);
                }
                51 if index > 150 => process.alive = false,
                52 if index > 200 && closed_at.is_none() => {
                    stream.close();
                    closed_at = Some(stream.out.len());
                }
                53..=60 if !delayed.is_empty() => {
                    let message = delayed.swap_remove(usize::from(*luck) % delayed.len());
                    let _ = stream.append(&message);
                }
                _ if process.alive => process.step(*luck, &mut stream, &mut delayed),
                _ => {}
            }
        }
        // From here on nothing goes wrong any more.
        for process in processes.iter_mut().filter(|process| process.alive) {
            for _ in 0..2000 {
                process.step(FAIR, &mut stream, &mut delayed);
            }
        }
        for message in delayed {
            let _ = stream.append(&message);
        }

        if let Some(stored) = closed_at {
            prop_assert_eq!(stream.out.len(), stored, "a zombie wrote");
        }
        let (winner, text) = stream.text();
        for (name, process) in ["p", "q"].into_iter().zip(&processes) {
            let won = winner.as_deref() == Some(name);
            if won {
                prop_assert!(process.said.starts_with(&text), "{:?} is not what was said", text);
                if process.alive && closed_at.is_none() {
                    prop_assert_eq!(&text, &process.said);
                    prop_assert_eq!(process.machine.settled(), process.machine.pushes());
                }
            } else if process.alive {
                prop_assert!(process.machine.ended().is_some() || winner.is_none());
            }
        }
    }
}
