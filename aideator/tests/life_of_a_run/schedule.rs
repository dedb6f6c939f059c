//! One random schedule: faults and requests for a while, then calm, in which everything must end.

use std::ops::Add;
use std::rc::Rc;
use std::task::{Context, Waker};

use aideator_contract::{RunId, State};

use crate::people::{self, Request};
use crate::world::{Process, Seen, Task, World};
use crate::{agent, submitter, viewer, watcher};

const STORM: usize = 3_000;
const CALM: usize = 400_000;
const ASKED: usize = 14;

/// What a schedule had in it.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) succeeded: usize,
    pub(crate) ended_otherwise: usize,
    pub(crate) attempts: usize,
    pub(crate) crashes: usize,
    pub(crate) refused: usize,
}

impl Add for Done {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            succeeded: self.succeeded + other.succeeded,
            ended_otherwise: self.ended_otherwise + other.ended_otherwise,
            attempts: self.attempts + other.attempts,
            crashes: self.crashes + other.crashes,
            refused: self.refused + other.refused,
        }
    }
}

struct Schedule {
    world: Rc<World>,
    tasks: Vec<(Process, Task)>,
    crashes: usize,
}

/// Runs the schedule of a seed. Panics when a promise is broken.
pub(crate) fn run(seed: u64) -> Done {
    let world = World::new(seed);
    let mut schedule = Schedule {
        world: Rc::clone(&world),
        tasks: Vec::new(),
        crashes: 0,
    };
    for run in ["a", "b"] {
        let wanted = people::start(&world, run.parse().unwrap());
        world.requests.borrow_mut().push(Request {
            wanted,
            acked: false,
            deliveries: 0,
        });
    }
    world.spawn(Process::Submitter, submitter::run(Rc::clone(&world)));
    world.spawn(Process::Watcher, watcher::run(Rc::clone(&world)));
    for id in 0..3 {
        let run: RunId = ["a", "b", "a"][id].parse().unwrap();
        world.spawn(
            Process::Viewer(id),
            viewer::watch(Rc::clone(&world), id, run),
        );
    }
    // Fair weather may come while runs are under way: what was lost must be found without another fault.
    for _ in 0..world.below(STORM) {
        schedule.step();
        schedule.trouble();
    }
    world.calm.set(true);
    let mut steps = 0;
    while !schedule.is_over() {
        schedule.step();
        steps += 1;
        assert!(
            steps < CALM,
            "nothing comes to an end: {:#?}",
            schedule.what_is_left()
        );
    }
    schedule.done()
}

impl Schedule {
    /// Anybody takes one step.
    fn step(&mut self) {
        let world = &self.world;
        self.tasks.append(&mut world.born.borrow_mut());
        for doomed in world.doomed.borrow_mut().drain(..) {
            // The process that is seen is the attempt's first.
            let same = |p: &Process| matches!((p, &doomed), (Process::Agent(a, _), Process::Agent(b, _)) if a == b);
            if let Some(index) = self.tasks.iter().position(|(p, _)| same(p)) {
                drop(self.tasks.remove(index));
            }
        }
        world.pass(1 + world.below(20) as u64);
        if self.tasks.is_empty() {
            return;
        }
        let index = world.below(self.tasks.len());
        let mut context = Context::from_waker(Waker::noop());
        if self.tasks[index].1.as_mut().poll(&mut context).is_ready() {
            drop(self.tasks.swap_remove(index));
        }
    }

    /// Something happens from outside.
    fn trouble(&mut self) {
        let world = Rc::clone(&self.world);
        if world.chance(1.0) && world.requests.borrow().len() < ASKED {
            people::ask(&world);
        }
        if world.chance(0.4) {
            world.pass(world.below(20_000) as u64);
        }
        if world.chance(0.4) {
            self.crash(&Process::Submitter);
            world.spawn(Process::Submitter, submitter::run(Rc::clone(&world)));
        }
        if world.chance(0.4) {
            self.crash(&Process::Watcher);
            world.spawn(Process::Watcher, watcher::run(Rc::clone(&world)));
        }
        let names: Vec<_> = world.processes.borrow().keys().cloned().collect();
        if !names.is_empty() && world.chance(0.4) {
            let how = [Seen::Killed, Seen::Vanished, Seen::Exited(1)][world.below(3)];
            self.crashes += 1;
            agent::kill(&world, &names[world.below(names.len())], how);
        }
        if !names.is_empty() && world.chance(0.4) {
            agent::born(&world, &names[world.below(names.len())], false);
        }
    }

    fn crash(&mut self, process: &Process) {
        self.crashes += 1;
        self.tasks.append(&mut self.world.born.borrow_mut());
        self.tasks.retain(|(whose, _)| whose != process);
    }

    fn is_over(&self) -> bool {
        let busy = |p: &Process| !matches!(p, Process::Submitter | Process::Watcher);
        self.world.requests.borrow().iter().all(|r| r.acked)
            && self.world.open.borrow().is_empty()
            && self.world.born.borrow().is_empty()
            && !self.tasks.iter().any(|(p, _)| busy(p))
            && self
                .world
                .truth
                .borrow()
                .summaries()
                .all(|(_, s)| s.finished.is_some())
    }

    fn what_is_left(&self) -> Vec<String> {
        let world = &self.world;
        let mut left: Vec<String> = self.tasks.iter().map(|(p, _)| format!("{p:?}")).collect();
        let requests = world.requests.borrow();
        let unacked = requests.iter().enumerate().filter(|(_, r)| !r.acked);
        left.extend(unacked.map(|(i, r)| format!("{} {:?}", i + 1, r.wanted)));
        left.push(format!("open: {:?}", world.open.borrow()));
        left.extend(
            world
                .truth
                .borrow()
                .summaries()
                .map(|(run, s)| format!("{run}: {s:?}")),
        );
        left
    }

    fn done(&self) -> Done {
        let truth = self.world.truth.borrow();
        let mut done = Done {
            crashes: self.crashes,
            refused: truth.refusals(),
            ..Done::default()
        };
        for v in truth
            .summaries()
            .flat_map(|(_, summary)| &summary.variations)
        {
            done.attempts += v.attempt.get() as usize;
            if v.state == State::Succeeded {
                done.succeeded += 1;
            } else {
                done.ended_otherwise += 1;
            }
        }
        done
    }
}
