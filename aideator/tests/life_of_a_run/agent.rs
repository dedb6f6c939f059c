//! An agent: the real publisher, with a model of a model behind it.

use std::rc::Rc;

use aideator_bus::publisher::{Action, Failure, Input, Machine, OutSeen, Speaker};
use aideator_contract::local::AttemptName;
use aideator_contract::report::{Done, Outcome};
use aideator_contract::{
    AttemptRecord, Event, OutMessage, Report, Subject, Timestamp, Usage, UsageSource,
};

use crate::world::{Lost, Process, Seen, World};

/// What the model says: the same words for every attempt of a variation.
pub(crate) fn words(name: &AttemptName, count: usize) -> Vec<String> {
    (0..count)
        .map(|i| format!("{}{}w{i} ", name.run, name.variation))
        .collect()
}

/// Another process of an attempt. Only the first is seen from outside.
pub(crate) fn born(world: &Rc<World>, name: &AttemptName, seen: bool) {
    let instance = u64::try_from(world.below(1 << 30)).unwrap();
    let (this, attempt) = (Rc::clone(world), name.clone());
    world.spawn(Process::Agent(name.clone(), instance), async move {
        let code = speak(&this, &attempt, instance).await;
        if seen
            && let Some(state) = this.processes.borrow_mut().get_mut(&attempt)
            && *state == Seen::Running
        {
            *state = Seen::Exited(code);
        }
    });
}

/// The process that is seen ends; a second one of the attempt, which nobody sees, goes on.
pub(crate) fn kill(world: &World, name: &AttemptName, how: Seen) {
    let mut processes = world.processes.borrow_mut();
    if let Some(state) = processes
        .get_mut(name)
        .filter(|state| **state == Seen::Running)
    {
        *state = how;
        // Now and then only the sight is lost: the process lives, a zombie.
        if !world.fault(25.0) {
            world
                .doomed
                .borrow_mut()
                .push(Process::Agent(name.clone(), u64::MAX));
        }
    }
}

async fn speak(world: &Rc<World>, name: &AttemptName, instance: u64) -> i32 {
    let AttemptName {
        run,
        variation,
        attempt,
    } = name;
    let subject = Subject::attempt(run, *variation);
    let fence = loop {
        let Some(stored) = world.replica(&subject).await else {
            continue;
        };
        let record: AttemptRecord = serde_json::from_slice(&stored.payload).unwrap();
        if record.is_open(*attempt) {
            break stored.sequence;
        }
        if record.attempt >= *attempt {
            return 3;
        }
    };
    let speaker = Speaker {
        run: run.clone(),
        variation: *variation,
        attempt: *attempt,
        process: format!("p{instance}"),
    };
    let mut machine = Machine::new(speaker, fence, "scripted/lorem".into(), world.now());
    let mut rest = words(name, 1 + world.below(12));
    rest.reverse();
    let mut said_ready = false;
    let mut done = false;
    loop {
        if machine.is_claimed() && !said_ready {
            said_ready = true;
            machine.report(Report::Ready, world.now());
        }
        if machine.is_claimed() && !done && world.chance(40.0) {
            done = say(world, name, &mut machine, &mut rest);
        }
        let action = machine.action();
        match action {
            Action::Idle if done => return 0,
            Action::Idle => world.pause().await,
            Action::End(_) => return 3,
            action => {
                let input = act(world, name, &action).await;
                machine.apply(input);
            }
        }
    }
}

/// The next thing to say; true after the last word.
fn say(world: &World, name: &AttemptName, machine: &mut Machine, rest: &mut Vec<String>) -> bool {
    let now = world.now();
    let told = world.told.borrow().contains(name);
    match rest.pop().filter(|_| !told) {
        Some(delta) => {
            machine
                .push(
                    Event::TextDelta {
                        id: "t".into(),
                        delta,
                    },
                    now,
                )
                .unwrap();
            false
        }
        None => {
            let outcome = if told {
                Outcome::Cancelled
            } else {
                Outcome::Succeeded
            };
            machine
                .push(
                    Event::Finish {
                        finish_reason: "stop".into(),
                    },
                    now,
                )
                .unwrap();
            machine.report(
                Report::Done(Box::new(last_word(machine, outcome, now))),
                now,
            );
            true
        }
    }
}

fn last_word(machine: &Machine, outcome: Outcome, _: Timestamp) -> Done {
    let usage = Usage {
        source: UsageSource::Estimated,
        input_tokens: 1,
        output_tokens: 1,
        cached_tokens: None,
        reasoning_tokens: None,
        ttft_ms: None,
        tokens_per_second: None,
        cost_usd: None,
    };
    Done {
        outcome,
        usage: Some(usage),
        digest: machine.digest(),
        out_n: 0,
    }
}

async fn act(world: &World, name: &AttemptName, action: &Action) -> Input {
    let AttemptName { run, variation, .. } = name;
    match action {
        Action::Send(out) => {
            let expect = (&out.filter, out.sequence);
            let sent = world
                .append(&out.subject, out.payload.clone(), Some(&out.msg_id), expect)
                .await;
            match sent {
                Ok(_) => Input::Stored,
                Err(Lost::Conflict) => Input::Failed(Failure::Conflict),
                Err(Lost::Away) => Input::Failed(Failure::Away),
                Err(Lost::Undecided) => Input::Failed(Failure::Undecided),
            }
        }
        Action::ReadAttempt => {
            let last = world.replica(&Subject::attempt(run, *variation)).await;
            if world.fault(5.0) {
                Input::Unread
            } else {
                Input::Attempt(last.map(|s| s.sequence))
            }
        }
        Action::ReadOut => {
            let last = world.replica(&Subject::out(run, *variation)).await;
            Input::Out(last.map(|stored| {
                let message: OutMessage = serde_json::from_slice(&stored.payload).unwrap();
                OutSeen {
                    sequence: stored.sequence,
                    attempt: message.attempt,
                    n: message.n,
                    process: match message.event {
                        Event::Start { process, .. } => Some(process),
                        _ => None,
                    },
                }
            }))
        }
        Action::Wait(_) | Action::Idle | Action::End(_) => {
            world.pause().await;
            Input::Waited
        }
    }
}
