//! Requests, commands and launches in random schedules: steps of several hands interleaved between
//! reading and writing, crashes, redeliveries, two submitters at once, and a watcher that ends
//! attempts, against streams in memory.

use std::collections::{BTreeMap, BTreeSet};

use aideator_contract::attempt::{AttemptEvent, Cause, verdict};
use aideator_contract::request::{CancelRequest, PickRequest, RetryRequest};
use aideator_contract::summary::{Ending, Move};
use aideator_contract::{
    Attempt, AttemptRecord, Change, Code, Reason, RunSpec, State, StateMessage, Status, Timestamp,
    Variation,
};
use aideator_submitter::decide::launch::{Launched, Left};
use aideator_submitter::decide::request::Request;
use aideator_submitter::decide::{Fence, Known, command, launch, request};
use proptest::prelude::*;

use crate::values::{reason, run, spec, variation};

const VARIATIONS: usize = 2;
const NOW: Timestamp = Timestamp::from_millis(1);

/// The streams.
#[derive(Default)]
struct World {
    sequence: u64,
    states: Vec<Known>,
    fences: [Vec<Fence>; VARIATIONS],
    key: Option<u64>,
    dead: BTreeMap<u64, Code>,
    /// Retries that are acknowledged.
    retried: BTreeSet<u64>,
    launched: BTreeSet<(usize, Attempt)>,
}

impl World {
    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn last(&self) -> Option<&Known> {
        self.states.last()
    }

    /// Whether the requests are decided, as far as commands are concerned.
    fn is_settled(&self) -> bool {
        let accepted = |k: &Known| k.summary().status != Status::Rejected;
        self.states.iter().any(accepted)
    }

    /// Whether the retries before a command are decided.
    fn is_retried(&self, sequence: u64) -> bool {
        let mut before = RETRIES.iter().filter(|retry| **retry < sequence);
        before.all(|retry| self.retried.contains(retry))
    }

    fn write(&mut self, after: u64, message: StateMessage) -> bool {
        if self.last().map_or(0, |k| k.sequence) != after {
            return false;
        }
        self.check_closed(&message);
        let sequence = self.next();
        self.states.push(Known::new(sequence, message));
        true
    }

    fn record(&mut self, v: usize, after: u64, record: AttemptRecord) -> bool {
        if self.fences[v].last().map_or(0, |f| f.sequence) != after {
            return false;
        }
        let newest = self.fences[v].last().map(|f| &f.record);
        if matches!(record.event, AttemptEvent::Opened { .. }) {
            assert!(
                newest.is_none_or(|n| n.attempt < record.attempt),
                "an attempt is opened twice, or after it was closed"
            );
        }
        let sequence = self.next();
        self.fences[v].push(Fence { sequence, record });
        true
    }

    /// There is no terminal state before `closed`.
    fn check_closed(&self, message: &StateMessage) {
        for (v, now) in message.summary.variations.iter().enumerate() {
            let closed = |f: &Fence| {
                f.record.attempt == now.attempt
                    && matches!(f.record.event, AttemptEvent::Closed { .. })
            };
            let ended = now.state.is_terminal();
            assert!(!ended || self.fences[v].iter().any(closed), "{message:?}");
        }
    }
}

/// Somebody who reads, decides, and writes later.
enum Hand {
    Request(RequestHand),
    Command(CommandHand),
    Launch(LaunchHand),
    Watch(WatchHand),
}

struct RequestHand {
    request: Request,
    verdict: Result<RunSpec, Reason>,
    judged: bool,
    opened: bool,
    buried: bool,
    pending: Option<request::Step>,
    acked: bool,
}

struct CommandHand {
    command: command::Command,
    sequence: u64,
    again: bool,
    acted: bool,
    opened: bool,
    buried: bool,
    pending: Option<command::Step>,
    acked: bool,
}

#[derive(Default)]
struct LaunchHand {
    v: usize,
    attempt: Option<Attempt>,
    launched: bool,
    /// This launcher can't launch.
    broken: bool,
    left: Option<Left>,
    pending: Option<launch::Step>,
}

/// Ends what runs, and removes the key of what is finished: the watcher in a few lines.
#[derive(Default)]
struct WatchHand {
    v: usize,
    pending: Option<Watch>,
}

enum Watch {
    Close(u64, AttemptRecord),
    Move(u64, Box<StateMessage>),
    Drop(u64),
}

impl Hand {
    /// Decides, or applies what was decided; false if there was nothing to do.
    fn step(&mut self, world: &mut World) -> bool {
        match self {
            Self::Request(hand) => hand.step(world),
            Self::Command(hand) => hand.step(world),
            Self::Launch(hand) => hand.step(world),
            Self::Watch(hand) => hand.step(world),
        }
    }

    fn crash(&mut self, world: &World) {
        match self {
            Self::Request(hand) => {
                (hand.judged, hand.opened) = (false, false);
                // What is delivered again is looked for among the dead letters first.
                hand.buried = world.dead.contains_key(&hand.request.sequence);
                hand.pending = None;
            }
            Self::Command(hand) => {
                (hand.acted, hand.opened) = (false, false);
                hand.buried = world.dead.contains_key(&hand.sequence);
                hand.again = true;
                hand.pending = None;
            }
            Self::Launch(hand) => {
                *hand = LaunchHand {
                    v: hand.v,
                    broken: hand.broken,
                    ..LaunchHand::default()
                }
            }
            Self::Watch(hand) => hand.pending = None,
        }
    }
}

impl RequestHand {
    fn step(&mut self, world: &mut World) -> bool {
        if self.acked {
            return false;
        }
        let Some(step) = self.pending.take() else {
            self.pending = Some(request::next(&request::View {
                request: &self.request,
                last: world.last(),
                verdict: self.judged.then_some(&self.verdict),
                opened: self.opened,
                buried: self.buried,
                at: NOW,
            }));
            return true;
        };
        match step {
            request::Step::Judge => self.judged = true,
            request::Step::Open => {
                world.key = Some(world.next());
                self.opened = true;
            }
            request::Step::Write(write) => {
                world.write(write.after, *write.message);
            }
            request::Step::Bury(reason) => {
                world.dead.insert(self.request.sequence, reason.code);
                self.buried = true;
            }
            request::Step::Done => self.acked = true,
        }
        true
    }
}

impl CommandHand {
    fn step(&mut self, world: &mut World) -> bool {
        if self.acked {
            return false;
        }
        let Some(step) = self.pending.take() else {
            let fences: Vec<_> = world.fences.iter().map(|f| f.last().cloned()).collect();
            self.pending = Some(command::next(&command::View {
                command: &self.command,
                sequence: self.sequence,
                again: self.again,
                acted: self.acted,
                settled: world.is_settled(),
                retried: world.is_retried(self.sequence),
                last: world.last(),
                fences: &fences,
                opened: self.opened,
                spec: true,
                room: true,
                buried: self.buried,
                at: NOW,
            }));
            return true;
        };
        match step {
            // Meanwhile the run, or its next attempt, may have come.
            command::Step::Wait => return world.is_settled() && world.is_retried(self.sequence),
            command::Step::Open => {
                world.key = Some(world.next());
                self.opened = true;
            }
            command::Step::Close {
                variation,
                after,
                record,
            } => self.acted |= world.record(variation.index(), after, record),
            command::Step::Write(write) => {
                if world.write(write.after, *write.message) {
                    self.acted = true;
                    self.opened = false;
                }
            }
            command::Step::Bury(reason) => {
                world.dead.insert(self.sequence, reason.code);
                self.buried = true;
            }
            command::Step::Done => {
                self.acked = true;
                world.retried.insert(self.sequence);
            }
        }
        true
    }
}

impl LaunchHand {
    fn step(&mut self, world: &mut World) -> bool {
        let v = self.v;
        let why = reason(Code::LaunchFailed);
        let Some(step) = self.pending.take() else {
            let Some(last) = world.last().filter(|k| k.summary().status == Status::Open) else {
                return false;
            };
            let attempt = last.summary().variations[v].attempt;
            if self.attempt != Some(attempt) {
                (self.launched, self.left) = (false, None);
                self.attempt = Some(attempt);
            }
            let launched = match (self.launched, self.broken) {
                (false, _) => Launched::No,
                (true, false) => Launched::Yes,
                (true, true) => Launched::Never(&why),
            };
            self.pending = launch::next(&launch::View {
                run: &run(),
                variation: variation(v),
                attempt,
                last,
                fence: world.fences[v].last(),
                launched,
                left: self.left.as_ref(),
                at: NOW,
            });
            return self.pending.is_some();
        };
        let attempt = self.attempt.unwrap();
        match step {
            launch::Step::Open { after } => {
                let spec = spec(VARIATIONS).attempt(&run(), variation(v), attempt, 1);
                world.record(v, after, AttemptRecord::opened(spec.unwrap(), NOW));
            }
            launch::Step::Launch => {
                let opened = world.fences[v].iter().any(|f| {
                    f.record.attempt == attempt
                        && matches!(f.record.event, AttemptEvent::Opened { .. })
                });
                assert!(opened, "launched before it was opened");
                if !self.broken {
                    world.launched.insert((v, attempt));
                }
                self.launched = true;
            }
            launch::Step::Close { after, record } => {
                world.record(v, after, record);
            }
            launch::Step::LookBehind => self.left = Some(Left::default()),
            launch::Step::Write(write) => {
                world.write(write.after, *write.message);
            }
        }
        true
    }
}

impl WatchHand {
    fn step(&mut self, world: &mut World) -> bool {
        match self.pending.take() {
            None => {
                self.pending = self.decide(world);
                return self.pending.is_some();
            }
            Some(Watch::Close(after, record)) => {
                world.record(self.v, after, record);
            }
            Some(Watch::Move(after, message)) => {
                world.write(after, *message);
            }
            Some(Watch::Drop(revision)) if world.key == Some(revision) => world.key = None,
            Some(Watch::Drop(_)) => {}
        }
        true
    }

    fn decide(&self, world: &World) -> Option<Watch> {
        // The key before the state: a key put later has another revision.
        let key = world.key;
        let known = world.last()?;
        let summary = known.summary();
        if summary.status == Status::Finished {
            return key.map(Watch::Drop);
        }
        let now = summary.variations.get(self.v)?;
        let fence = world.fences[self.v].last()?;
        if now.state.is_terminal() || fence.record.attempt != now.attempt {
            return None;
        }
        let cause = match &fence.record.event {
            AttemptEvent::Closed { cause } => cause,
            AttemptEvent::Opened { .. } if now.state == State::Queued => return None,
            AttemptEvent::Opened { .. } => {
                let cause = match now.state {
                    State::Cancelling => Cause::Cancelled,
                    _ => Cause::Exited { code: 1 },
                };
                let record = AttemptRecord::closed(now.attempt, cause, NOW);
                return Some(Watch::Close(fence.sequence, record));
            }
        };
        let (to, reason) = verdict(cause, None);
        let wanted = Move {
            variation: variation(self.v),
            attempt: now.attempt,
            to,
            reason,
            ending: Some(Ending::default()),
            command: None,
            at: NOW,
        };
        let (summary, change) = summary.moved(wanted).ok()?;
        let message = StateMessage::new(run(), NOW, change, summary);
        Some(Watch::Move(known.sequence, Box::new(message)))
    }
}

fn request_hand(sequence: u64, sha: &str, verdict: Result<RunSpec, Reason>) -> Hand {
    Hand::Request(RequestHand {
        request: Request {
            run: run(),
            named: true,
            sequence,
            sha256: sha.into(),
        },
        verdict,
        judged: false,
        opened: false,
        buried: false,
        pending: None,
        acked: false,
    })
}

fn command_hand(sequence: u64, command: command::Command) -> Hand {
    Hand::Command(CommandHand {
        command,
        sequence,
        again: false,
        acted: false,
        opened: false,
        buried: false,
        pending: None,
        acked: false,
    })
}

const RETRIES: [u64; 2] = [1006, 1009];

fn hands() -> Vec<Hand> {
    let good = || Ok(spec(VARIATIONS));
    let bad = || Err(reason(Code::BadValue));
    let cancel = |variation: Option<Variation>| {
        command::Command::Cancel(CancelRequest {
            run_id: run(),
            variation,
            reason: None,
        })
    };
    let retry = || {
        command::Command::Retry(RetryRequest {
            run_id: run(),
            variation: variation(0),
        })
    };
    let pick = command::Command::Pick(PickRequest {
        run_id: run(),
        variation: variation(1),
        reason: None,
    });
    let mut hands = vec![
        request_hand(1001, "bad", bad()),
        request_hand(1002, "one", good()),
        request_hand(1003, "one", good()),
        request_hand(1004, "two", good()),
        command_hand(1005, cancel(Some(variation(0)))),
        command_hand(RETRIES[0], retry()),
        command_hand(1007, cancel(None)),
        command_hand(1008, pick),
        command_hand(RETRIES[1], retry()),
    ];
    // The same request in the hands of two submitters at once.
    hands.push(request_hand(1002, "one", good()));
    for v in 0..VARIATIONS {
        for broken in [false, false, true] {
            hands.push(Hand::Launch(LaunchHand {
                v,
                broken,
                ..LaunchHand::default()
            }));
        }
        hands.push(Hand::Watch(WatchHand {
            v,
            ..WatchHand::default()
        }));
    }
    hands
}

fn check(world: &World, hands: &[Hand]) {
    let accepted: Vec<_> = world
        .states
        .iter()
        .filter(|k| matches!(k.message.change, Change::Accepted { .. }))
        .collect();
    assert_eq!(accepted.len(), 1, "one run per id");
    let last = world.last().unwrap().summary();
    assert_eq!(last.status, Status::Finished);
    assert_eq!(world.key, None, "the open key of a finished run is left");
    let winner = &last.request_sha256;
    let loser = if winner == "one" { 1004 } else { 1002 };
    assert_eq!(world.dead.contains_key(&1004), winner == "one");
    assert_eq!(world.dead.get(&loser), Some(&Code::Conflict));
    for hand in hands {
        match hand {
            Hand::Request(hand) => assert!(hand.acked),
            Hand::Command(hand) => {
                assert!(hand.acked);
                let took = world
                    .states
                    .iter()
                    .any(|k| k.summary().has_applied(hand.sequence));
                let refused = world.dead.contains_key(&hand.sequence);
                assert!(
                    !(took && refused),
                    "{} is applied and refused",
                    hand.sequence
                );
            }
            Hand::Launch(_) | Hand::Watch(_) => {}
        }
    }
    let retried = |k: &&Known| matches!(k.message.change, Change::Moved { from, to: State::Queued, .. } if from.is_terminal());
    let retries = world.states.iter().filter(retried).count();
    assert!(retries <= RETRIES.len(), "a retry is applied twice");
    assert!(last.pick.is_some());
}

/// A restart finds what is open: once nothing is in hand any more, its key is there.
fn check_key(world: &World, hands: &[Hand]) {
    let acked = hands.iter().all(|hand| match hand {
        Hand::Request(hand) => hand.acked,
        Hand::Command(hand) => hand.acked,
        Hand::Launch(_) | Hand::Watch(_) => true,
    });
    let open = world
        .last()
        .is_some_and(|k| k.summary().status == Status::Open);
    assert!(
        !(acked && open) || world.key.is_some(),
        "an open run has no key"
    );
}

/// Which hand goes on, and whether it crashes first.
fn play(schedule: &[(u8, bool)]) {
    let mut world = World::default();
    let mut hands = hands();
    for (who, crashes) in schedule {
        let who = usize::from(*who) % hands.len();
        if *crashes {
            hands[who].crash(&world);
        }
        hands[who].step(&mut world);
        check_key(&world, &hands);
    }
    let mut rounds = 0;
    loop {
        let mut moved = false;
        for hand in &mut hands {
            moved |= hand.step(&mut world);
        }
        check_key(&world, &hands);
        if !moved {
            break;
        }
        rounds += 1;
        assert!(rounds < 2_000, "it never comes to rest");
    }
    check(&world, &hands);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn every_schedule_ends_with_each_thing_done_once(
        schedule in prop::collection::vec((any::<u8>(), prop::bool::weighted(0.05)), 0..600)
    ) {
        play(&schedule);
    }
}
