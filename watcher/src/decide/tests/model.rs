//! A run in memory: whatever its agents, the submitter and crashes do, the watcher ends each
//! attempt once, and truthfully.

use proptest::prelude::*;

use super::*;

/// The subjects of one run, each the list of its messages with their sequences.
#[derive(Debug, Clone)]
struct World {
    now: u64,
    sequence: u64,
    states: Vec<(u64, StateMessage)>,
    key: Option<u64>,
    parts: Vec<Part>,
}

/// A variation.
#[derive(Debug, Clone, Default)]
struct Part {
    records: Vec<(u64, AttemptRecord)>,
    reports: Vec<(Attempt, Report)>,
    outs: Vec<(Attempt, u64)>,
    process: Option<(Attempt, Process)>,
    /// The attempts whose process went after it was told to stop.
    stopped: Vec<Attempt>,
    /// The attempts that came to their end.
    ended: Vec<Attempt>,
}

#[derive(Debug, Clone, PartialEq)]
enum Process {
    Alive,
    Gone(Observation),
}

/// What others do.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Open,
    Start,
    Schedule,
    Cancel,
    PutKey,
    Retry,
    Ready,
    FirstToken,
    Say,
    Done(bool),
    Exit(i32),
    Kill,
    Vanish,
    RefuseToLaunch,
    Wait(u64),
    LoseKey,
}

/// A watcher; there are two, as when one was restarted before the other was gone.
#[derive(Debug, Default)]
struct Watcher {
    stages: Vec<World>,
    decided: Option<Effect>,
}

/// What a watcher does meanwhile. It reads in stages, between which the world goes on; it applies
/// what it decided, perhaps when that is no longer so; it crashes anywhere.
#[derive(Debug, Clone, Copy)]
enum Watch {
    Read,
    Apply,
    Crash,
}

/// Key, state, records, reports and outputs, processes, state again: the world as it was when each
/// was read.
const STAGES: usize = 6;

impl World {
    fn new(variations: usize) -> Self {
        let summary = Summary::accepted(&spec(variations), "s".into(), 1, at(0));
        let change = Change::Accepted {
            spec: Box::new(spec(variations)),
        };
        Self {
            now: 0,
            sequence: 2,
            states: vec![(2, StateMessage::new(run(), at(0), change, summary))],
            key: Some(1),
            parts: vec![Part::default(); variations],
        }
    }

    fn last(&self) -> &(u64, StateMessage) {
        self.states.last().expect("it begins with one")
    }

    fn summary(&self) -> &Summary {
        &self.last().1.summary
    }

    fn store(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn say(&mut self, summary: Summary, change: Change) {
        let sequence = self.store();
        let message = StateMessage::new(run(), at(self.now), change, summary);
        self.states.push((sequence, message));
    }

    /// Applies an effect by compare-and-set, checking what must hold whenever one succeeds.
    fn apply(&mut self, effect: Effect) -> bool {
        match effect {
            Effect::KeepOpen => self.key = Some(self.store()),
            Effect::DropOpen { revision } => {
                if self.key != Some(revision) {
                    return false;
                }
                self.key = None;
            }
            Effect::Close {
                variation,
                record,
                after,
            } => {
                let part = &self.parts[variation.index()];
                if part.records.last().map(|(sequence, _)| *sequence) != Some(after) {
                    return false;
                }
                let was_stopped = self.parts[variation.index()]
                    .stopped
                    .contains(&record.attempt);
                let by_itself = matches!(
                    &record.event,
                    AttemptEvent::Closed {
                        cause: Cause::Exited { .. } | Cause::Killed { .. } | Cause::Vanished
                    }
                );
                assert!(
                    !(was_stopped && by_itself),
                    "it was told to stop: {record:?}"
                );
                let sequence = self.store();
                self.parts[variation.index()]
                    .records
                    .push((sequence, record));
            }
            Effect::Move { message, after } => {
                if self.last().0 != after {
                    return false;
                }
                self.check(&message);
                let sequence = self.store();
                self.states.push((sequence, *message));
            }
        }
        true
    }

    fn check(&mut self, message: &StateMessage) {
        let Change::Moved {
            variation,
            attempt,
            to,
            ..
        } = &message.change
        else {
            panic!("the watcher only moves");
        };
        if !to.is_terminal() {
            return;
        }
        let part = &mut self.parts[variation.index()];
        assert!(!part.ended.contains(attempt), "it ends twice");
        part.ended.push(*attempt);
        let (_, record) = part.records.last().expect("it was opened");
        assert!(
            record.attempt == *attempt && !record.is_open(*attempt),
            "closed precedes terminal"
        );
        let last_word = part.reports.iter().find_map(|(of, report)| match report {
            Report::Done(done) if of == attempt => Some(&done.outcome),
            _ => None,
        });
        match last_word {
            Some(Outcome::Succeeded) => assert_eq!(*to, State::Succeeded),
            Some(_) => assert_eq!(*to, State::Failed),
            None => assert_ne!(*to, State::Succeeded, "nobody said so"),
        }
        let end = part.outs.iter().rev().find(|(of, _)| of == attempt);
        let told = message.summary.variations[variation.index()].end;
        assert_eq!(
            told,
            Some(end.map_or(0, |(_, sequence)| *sequence)),
            "the end of its output"
        );
    }

    fn open(&self, index: usize) -> Option<Attempt> {
        let (_, record) = self.parts[index].records.last()?;
        record.is_open(record.attempt).then_some(record.attempt)
    }

    /// The attempt whose agent lives, may write, and has not given its last word.
    fn speaker(&self, index: usize) -> Option<Attempt> {
        let attempt = self.open(index)?;
        let part = &self.parts[index];
        let last_word =
            |(of, report): &(Attempt, Report)| *of == attempt && matches!(report, Report::Done(_));
        let alive = part.process == Some((attempt, Process::Alive));
        (alive && !part.reports.iter().any(last_word)).then_some(attempt)
    }

    fn report(&mut self, index: usize, report: Report) {
        if let Some(attempt) = self.speaker(index) {
            self.store();
            self.parts[index].reports.push((attempt, report));
        }
    }

    fn gone(&mut self, index: usize, how: Observation) {
        let now = self.summary().variations[index].clone();
        let part = &mut self.parts[index];
        if let Some((attempt, process @ Process::Alive)) = &mut part.process {
            *process = Process::Gone(how);
            if now.state == State::Cancelling && now.attempt == *attempt {
                part.stopped.push(*attempt);
            }
        }
    }

    fn submit(&mut self, index: usize, to: State) {
        let wanted = Move {
            variation: variation(index),
            attempt: self.summary().variations[index].attempt,
            to,
            reason: None,
            ending: None,
            command: None,
            at: at(self.now),
        };
        if let Ok((summary, change)) = self.summary().moved(wanted) {
            self.say(summary, change);
        }
    }

    fn happen(&mut self, index: usize, deed: Deed) {
        let now = self.summary().variations[index].clone();
        let opened = self.parts[index].records.last().map(|(_, r)| r.attempt) == Some(now.attempt);
        match deed {
            Deed::Open if now.state == State::Queued && !opened => {
                let attempt = spec(5)
                    .attempt(&run(), variation(index), now.attempt, 1)
                    .unwrap();
                let record = AttemptRecord::opened(attempt, at(self.now));
                let sequence = self.store();
                self.parts[index].records.push((sequence, record));
            }
            Deed::Start if opened => {
                let process = &mut self.parts[index].process;
                if !matches!(process, Some((attempt, _)) if *attempt == now.attempt) {
                    *process = Some((now.attempt, Process::Alive));
                }
            }
            Deed::Schedule if opened => self.submit(index, State::Scheduling),
            Deed::Cancel if opened => self.submit(index, State::Cancelling),
            Deed::Cancel if now.state == State::Queued => self.submit(index, State::Cancelled),
            Deed::PutKey => self.key = Some(self.store()),
            Deed::Retry => {
                let request = self.sequence + 1000;
                let retried = self
                    .summary()
                    .retried(variation(index), request, at(self.now));
                if let Ok((summary, change)) = retried {
                    self.say(summary, change);
                }
            }
            Deed::Ready => self.report(index, Report::Ready),
            Deed::FirstToken => self.report(index, Report::FirstToken { ttft_ms: 1 }),
            Deed::Say => {
                if let Some(attempt) = self.speaker(index) {
                    let sequence = self.store();
                    self.parts[index].outs.push((attempt, sequence));
                }
            }
            Deed::Done(true) => self.report(index, done(Outcome::Succeeded)),
            Deed::Done(false) => {
                let reason = Reason::new(Code::ModelError, "no");
                self.report(index, done(Outcome::Failed { reason }));
            }
            Deed::Exit(code) => self.gone(index, exited(Some(code), None)),
            Deed::Kill => self.gone(index, exited(None, Some(9))),
            Deed::Vanish => self.gone(index, Observation::Vanished),
            Deed::RefuseToLaunch => {
                let absent = self.parts[index]
                    .process
                    .as_ref()
                    .is_none_or(|(a, _)| *a != now.attempt);
                if let Some(attempt) = self.open(index).filter(|_| absent && opened) {
                    let reason = Reason::new(Code::LaunchFailed, "no");
                    let cause = Cause::NotStarted { reason };
                    let record = AttemptRecord::closed(attempt, cause, at(self.now));
                    let sequence = self.store();
                    self.parts[index].records.push((sequence, record));
                }
            }
            Deed::Wait(seconds) => self.now += seconds * SECOND,
            Deed::LoseKey if self.summary().status == Status::Open => self.key = None,
            Deed::Open | Deed::Start | Deed::Schedule | Deed::Cancel | Deed::LoseKey => {}
        }
    }

    /// The watcher alone, until it has nothing to do.
    fn settle(&mut self) {
        for _ in 0..100 {
            let stages = vec![self.clone(); STAGES];
            let view = view_of(&stages).expect("nobody interferes");
            let Some(effect) = next(&view, &Limits::default()) else {
                return;
            };
            assert!(self.apply(effect), "nobody interferes");
        }
        panic!("it does not settle");
    }
}

/// What the watcher reads, each part from the world as it was at its stage; nothing, where the state
/// has moved on meanwhile.
fn view_of(stages: &[World]) -> Option<View> {
    let [keys, states, records, words, processes, again] = stages else {
        panic!("{} stages", stages.len());
    };
    let (sequence, state) = states.last().clone();
    if again.last().0 != sequence {
        return None;
    }
    let of = |(index, now): (usize, &VariationSummary)| {
        let record = records.parts[index].records.last().cloned();
        let current = record.as_ref().filter(|(_, r)| r.attempt == now.attempt);
        let closed = current.is_some_and(|(_, r)| !r.is_open(now.attempt));
        let report = words.parts[index].reports.last();
        let out = words.parts[index].outs.last();
        VariationView {
            variation: variation(index),
            report: report
                .filter(|(attempt, _)| current.is_some() && *attempt == now.attempt)
                .map(|(_, report)| report.clone()),
            out: out
                .filter(|(attempt, _)| closed && *attempt == now.attempt)
                .map_or(0, |(_, sequence)| *sequence),
            startup: Startup::default(),
            observation: match &processes.parts[index].process {
                Some((attempt, Process::Alive)) if *attempt == now.attempt => Observation::Running,
                Some((attempt, Process::Gone(how))) if *attempt == now.attempt => how.clone(),
                _ => Observation::NotStarted,
            },
            record,
        }
    };
    Some(View {
        run: run(),
        open_key: keys.key,
        sequence,
        variations: (state.summary.variations.iter().enumerate())
            .filter(|(_, now)| !now.state.is_terminal())
            .map(of)
            .collect(),
        state,
        now: at(processes.now),
    })
}

impl Watcher {
    fn step(&mut self, world: &mut World, watch: Watch) {
        match watch {
            Watch::Read => {
                self.stages.push(world.clone());
                if self.stages.len() == STAGES {
                    let view = view_of(&self.stages);
                    self.decided = view.and_then(|view| next(&view, &Limits::default()));
                    self.stages.clear();
                }
            }
            Watch::Apply => {
                if let Some(effect) = self.decided.take() {
                    world.apply(effect);
                }
            }
            Watch::Crash => *self = Self::default(),
        }
    }
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => Just(Deed::Open),
        6 => Just(Deed::Start),
        2 => Just(Deed::Schedule),
        1 => Just(Deed::Cancel),
        1 => Just(Deed::PutKey),
        3 => Just(Deed::Retry),
        2 => Just(Deed::Ready),
        2 => Just(Deed::FirstToken),
        8 => Just(Deed::Say),
        3 => any::<bool>().prop_map(Deed::Done),
        1 => (0..3).prop_map(Deed::Exit),
        1 => Just(Deed::Kill),
        1 => Just(Deed::Vanish),
        1 => Just(Deed::RefuseToLaunch),
        1 => (1u64..400).prop_map(Deed::Wait),
        1 => Just(Deed::LoseKey),
    ]
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Deed(usize, Deed),
    Watch(usize, Watch),
}

fn step() -> impl Strategy<Value = Step> {
    let watch = prop_oneof![
        15 => Just(Watch::Read),
        5 => Just(Watch::Apply),
        1 => Just(Watch::Crash),
    ];
    prop_oneof![
        1 => ((0..3usize), deed()).prop_map(|(index, deed)| Step::Deed(index, deed)),
        2 => ((0..2usize), watch).prop_map(|(which, watch)| Step::Watch(which, watch)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn every_attempt_ends_once_after_closed_and_by_its_last_word(
        variations in 1usize..4,
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut world = World::new(variations);
        let mut watchers = [Watcher::default(), Watcher::default()];
        for step in steps {
            match step {
                Step::Deed(index, deed) => world.happen(index % variations, deed),
                Step::Watch(which, watch) => watchers[which].step(&mut world, watch),
            }
        }
        // From here on nobody does anything, and time passes.
        world.settle();
        world.now += 100_000 * SECOND;
        world.settle();
        for (index, part) in world.parts.iter().enumerate() {
            let now = &world.summary().variations[index];
            let opened = part.records.last().is_some_and(|(_, r)| r.attempt == now.attempt);
            prop_assert!(!opened || now.state.is_terminal(), "{now:?}");
        }
        let over = world.summary().variations.iter().all(|v| v.state.is_terminal());
        prop_assert_eq!(world.summary().status == Status::Finished, over);
        prop_assert_eq!(world.key.is_none(), over, "the key is there exactly while it is open");
    }
}
