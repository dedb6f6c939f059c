//! The submitter's I/O around its real decisions.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use aideator_contract::attempt::AttemptEvent;
use aideator_contract::event::OutHead;
use aideator_contract::local::AttemptName;
use aideator_contract::{
    AttemptRecord, Change, Code, Reason, Report, ReportMessage, RunId, State, StateMessage,
    Subject, Variation,
};
use aideator_submitter::decide::command::{self, Command};
use aideator_submitter::decide::launch::{self, Launched, Left};
use aideator_submitter::decide::request::{self, Request};
use aideator_submitter::decide::schedule::{self, Entry, Limits, Storage};
use aideator_submitter::decide::{Fence, Known, Write, stop};

use crate::agent;
use crate::people::{self, Wanted};
use crate::world::{Lost, Process, Seen, World, json};

type Hands<T> = Rc<RefCell<BTreeSet<T>>>;

/// A submitter just started: it knows nothing but what it reads.
pub(crate) async fn run(world: Rc<World>) {
    let (commands, launches) = (Hands::default(), Hands::default());
    loop {
        world.pause().await;
        match world.below(4) {
            0..=1 => take(&world, &commands),
            2 => give_turns(&world, &launches).await,
            _ => stop_some(&world).await,
        }
    }
}

fn take(world: &Rc<World>, in_hand: &Hands<usize>) {
    let mut requests = world.requests.borrow_mut();
    let free = |(i, r): &(usize, &mut people::Request)| !r.acked && !in_hand.borrow().contains(i);
    let Some((index, request)) = requests.iter_mut().enumerate().find(free) else {
        return;
    };
    request.deliveries += 1;
    let (wanted, redelivered) = (request.wanted.clone(), request.deliveries > 1);
    in_hand.borrow_mut().insert(index);
    let (this, hands) = (Rc::clone(world), Rc::clone(in_hand));
    world.spawn(Process::Submitter, async move {
        let sequence = index as u64 + 1;
        let settled = match wanted {
            Wanted::Run { run, request } => {
                decide_run(&this, run, &request, sequence, redelivered).await
            }
            Wanted::Command(command) => {
                decide_command(&this, &command, sequence, redelivered).await
            }
        };
        this.pause().await;
        // The ack itself may be lost; then it is delivered again.
        if settled && !this.fault(5.0) {
            this.requests.borrow_mut()[index].acked = true;
        }
        hands.borrow_mut().remove(&index);
    });
}

async fn known(world: &World, run: &RunId) -> Option<Known> {
    let last = world.leader::<StateMessage>(&Subject::state(run)).await;
    last.map(|(sequence, message)| Known::new(sequence, message))
}

async fn fence(world: &World, run: &RunId, variation: Variation) -> Option<Fence> {
    let last = world
        .leader::<AttemptRecord>(&Subject::attempt(run, variation))
        .await;
    last.map(|(sequence, record)| Fence { sequence, record })
}

async fn write(world: &World, run: &RunId, write: &Write) -> Result<u64, Lost> {
    let subject = Subject::state(run);
    world
        .append(
            &subject,
            json(&*write.message),
            None,
            (&subject, write.after),
        )
        .await
}

async fn record(
    world: &World,
    run: &RunId,
    variation: Variation,
    after: u64,
    record: &AttemptRecord,
) -> Result<u64, Lost> {
    let subject = Subject::attempt(run, variation);
    world
        .append(&subject, json(record), None, (&subject, after))
        .await
}

/// Whether the dead letter of a command is stored: looked for when it is delivered again.
async fn is_buried(world: &World, sequence: u64) -> bool {
    world.pause().await;
    world.truth.borrow().is_refused(sequence)
}

async fn decide_run(
    world: &World,
    run: RunId,
    asked: &aideator_contract::request::RunRequest,
    sequence: u64,
    redelivered: bool,
) -> bool {
    let request = Request {
        run: run.clone(),
        named: true,
        sequence,
        sha256: asked.sha256(),
    };
    let (mut verdict, mut opened) = (None, false);
    let mut buried = redelivered && is_buried(world, sequence).await;
    loop {
        let last = known(world, &run).await;
        let view = request::View {
            request: &request,
            last: last.as_ref(),
            verdict: verdict.as_ref(),
            opened,
            buried,
            at: world.now(),
        };
        match request::next(&view) {
            request::Step::Judge => verdict = Some(Ok(people::spec(asked))),
            request::Step::Open => {
                world.put_open(&run).await;
                opened = true;
            }
            request::Step::Write(message) => {
                let _ = write(world, &run, &message).await;
            }
            request::Step::Bury(_) => {
                world.pause().await;
                world.truth.borrow_mut().refused(sequence);
                buried = true;
            }
            request::Step::Done => return true,
        }
    }
}

async fn decide_command(
    world: &World,
    command: &Command,
    sequence: u64,
    redelivered: bool,
) -> bool {
    let run = command.run();
    let (mut again, mut acted, mut opened) = (redelivered, false, false);
    let mut buried = redelivered && is_buried(world, sequence).await;
    loop {
        let settled = people::settled(world, sequence);
        let retried = people::retried(world, sequence);
        let last = known(world, run).await;
        let mut fences = Vec::new();
        if let (Some(known), Command::Cancel(_)) = (&last, command) {
            for variation in Variation::first(known.summary().variations.len()) {
                fences.push(fence(world, run, variation).await);
            }
        }
        let view = command::View {
            command,
            sequence,
            again,
            acted,
            settled,
            retried,
            last: last.as_ref(),
            fences: &fences,
            opened,
            spec: true,
            room: true,
            buried,
            at: world.now(),
        };
        match command::next(&view) {
            command::Step::Wait => return false,
            command::Step::Open => {
                world.put_open(run).await;
                opened = true;
            }
            command::Step::Close {
                variation,
                after,
                record: closed,
            } => match record(world, run, variation, after, &closed).await {
                Ok(_) => acted = true,
                Err(Lost::Conflict) => {}
                Err(_) => again = true,
            },
            command::Step::Write(message) => match write(world, run, &message).await {
                Ok(_) => (acted, opened) = (true, false),
                Err(Lost::Conflict) => {}
                Err(_) => again = true,
            },
            command::Step::Bury(_) => {
                world.pause().await;
                world.truth.borrow_mut().refused(sequence);
                buried = true;
            }
            command::Step::Done => return true,
        }
    }
}

async fn give_turns(world: &Rc<World>, in_hand: &Hands<AttemptName>) {
    let open: Vec<RunId> = world.open.borrow().keys().cloned().collect();
    let mut runs = Vec::new();
    for run in open {
        let Some(known) = known(world, &run).await else {
            continue;
        };
        let mut opened = BTreeMap::new();
        for variation in Variation::first(known.summary().variations.len()) {
            if let Some(fence) = fence(world, &run, variation).await
                && matches!(fence.record.event, AttemptEvent::Opened { .. })
            {
                opened.insert(variation, fence.record.attempt);
            }
        }
        runs.push((run, known, opened));
    }
    let entries: Vec<Entry<'_>> = runs
        .iter()
        .map(|(run, known, opened)| Entry {
            run,
            summary: known.summary(),
            opened,
        })
        .collect();
    let limits = Limits {
        running: 3,
        per_requester: 3,
        queued: 100,
    };
    let storage = Storage {
        used: 0,
        most: None,
        output: 1,
    };
    for turn in schedule::turns(&entries, &limits, &storage) {
        let name = AttemptName {
            run: turn.run,
            variation: turn.variation,
            attempt: turn.attempt,
        };
        if turn.waits.is_none() && in_hand.borrow_mut().insert(name.clone()) {
            let (this, hands) = (Rc::clone(world), Rc::clone(in_hand));
            world.spawn(Process::Submitter, async move {
                launch(&this, &name).await;
                hands.borrow_mut().remove(&name);
            });
        }
    }
}

enum Said {
    Nothing,
    Launched,
    Held(Reason),
    Never(Reason),
}

async fn launch(world: &Rc<World>, name: &AttemptName) {
    let AttemptName {
        run,
        variation,
        attempt,
    } = name;
    let (mut said, mut left) = (Said::Nothing, None);
    loop {
        let Some(last) = known(world, run).await else {
            return;
        };
        let fence = fence(world, run, *variation).await;
        let view = launch::View {
            run,
            variation: *variation,
            attempt: *attempt,
            last: &last,
            fence: fence.as_ref(),
            launched: match &said {
                Said::Nothing => Launched::No,
                Said::Launched => Launched::Yes,
                Said::Held(reason) => Launched::Held(reason),
                Said::Never(reason) => Launched::Never(reason),
            },
            left: left.as_ref(),
            at: world.now(),
        };
        let Some(step) = launch::next(&view) else {
            if !matches!(said, Said::Held(_)) {
                return;
            }
            said = Said::Nothing;
            continue;
        };
        match step {
            launch::Step::Open { after } => {
                let spec = accepted(world, run);
                let spec = spec.attempt(run, *variation, *attempt, 1 << 20).unwrap();
                let opened = AttemptRecord::opened(spec, world.now());
                let _ = record(world, run, *variation, after, &opened).await;
            }
            launch::Step::Launch => {
                world.pause().await;
                said = ask(world, name);
            }
            launch::Step::Close {
                after,
                record: closed,
            } => {
                let _ = record(world, run, *variation, after, &closed).await;
            }
            launch::Step::LookBehind => left = Some(look_behind(world, name).await),
            launch::Step::Write(message) => {
                let _ = write(world, run, &message).await;
            }
        }
    }
}

fn accepted(world: &World, run: &RunId) -> aideator_contract::RunSpec {
    let log = world.all(&Subject::state(run));
    let of = |stored: &aideator_bus::Stored| match serde_json::from_slice::<StateMessage>(
        &stored.payload,
    )
    .unwrap()
    .change
    {
        Change::Accepted { spec } => Some(*spec),
        _ => None,
    };
    log.iter().find_map(of).unwrap()
}

/// The launcher: "already there" is success.
fn ask(world: &Rc<World>, name: &AttemptName) -> Said {
    let there = world.processes.borrow().contains_key(name);
    if !there && world.fault(4.0) {
        return Said::Held(Reason::new(Code::Quota, "quota"));
    }
    if !there && world.fault(2.0) {
        return Said::Never(Reason::new(Code::LaunchFailed, "no"));
    }
    if !there {
        world
            .processes
            .borrow_mut()
            .insert(name.clone(), Seen::Running);
        agent::born(world, name, true);
    }
    Said::Launched
}

async fn look_behind(world: &World, name: &AttemptName) -> Left {
    let AttemptName {
        run,
        variation,
        attempt,
    } = name;
    let report = world
        .leader::<ReportMessage>(&Subject::report(run, *variation))
        .await;
    let last_word = report
        .filter(|(_, r)| r.attempt == *attempt)
        .and_then(|(_, r)| match r.report {
            Report::Done(done) => Some(*done),
            _ => None,
        });
    let out = world
        .leader::<OutHead>(&Subject::out(run, *variation))
        .await;
    let out = out
        .filter(|(_, head)| head.attempt == *attempt)
        .map_or(0, |(sequence, _)| sequence);
    Left { last_word, out }
}

/// Tells what is cancelling to stop, and in the end makes it.
async fn stop_some(world: &World) {
    let open: Vec<RunId> = world.open.borrow().keys().cloned().collect();
    for run in open {
        let Some(known) = known(world, &run).await else {
            continue;
        };
        let all = Variation::first(known.summary().variations.len());
        for (variation, now) in all.zip(&known.summary().variations) {
            if now.state != State::Cancelling {
                continue;
            }
            let name = AttemptName {
                run: run.clone(),
                variation,
                attempt: now.attempt,
            };
            match stop::next(now.since, world.now()) {
                stop::Step::Tell => {
                    if !world.fault(30.0) {
                        world.told.borrow_mut().push(name);
                    }
                }
                stop::Step::Stop | stop::Step::Kill => agent::kill(world, &name, Seen::Killed),
            }
        }
    }
}
