//! The model of NATS: streams that store or refuse, replicas that lag, acks that get lost.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use aideator_bus::Stored;
use aideator_contract::local::AttemptName;
use aideator_contract::{RunId, Subject, Timestamp};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::people::Request;
use crate::truth::Truth;

/// A task of the model; it belongs to a process, which may be killed.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Why an append is not known to have worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    Conflict,
    Away,
    Undecided,
}

/// How an attempt's process is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Running,
    Exited(i32),
    Killed,
    Vanished,
}

/// The process that a task belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Process {
    Submitter,
    Watcher,
    Agent(AttemptName, u64),
    Viewer(usize),
}

/// Somebody who hears the live tail of a run.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) run: RunId,
    pub(crate) waiting: VecDeque<(Stored, u64)>,
}

pub(crate) struct World {
    pub(crate) random: RefCell<StdRng>,
    now: Cell<u64>,
    /// No more faults: everything must come to its end.
    pub(crate) calm: Cell<bool>,
    log: RefCell<Vec<Stored>>,
    names: RefCell<HashMap<String, (u64, usize)>>,
    /// Appends for which a message id is remembered.
    window: usize,
    pub(crate) open: RefCell<BTreeMap<RunId, u64>>,
    revisions: Cell<u64>,
    pub(crate) requests: RefCell<Vec<Request>>,
    pub(crate) processes: RefCell<BTreeMap<AttemptName, Seen>>,
    pub(crate) told: RefCell<Vec<AttemptName>>,
    pub(crate) tails: RefCell<HashMap<usize, Tail>>,
    pub(crate) born: RefCell<Vec<(Process, Task)>>,
    pub(crate) doomed: RefCell<Vec<Process>>,
    pub(crate) truth: RefCell<Truth>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Rc<Self> {
        let mut random = StdRng::seed_from_u64(seed);
        let window = [0, 3, 50, usize::MAX][random.random_range(0..4)];
        Rc::new(Self {
            random: RefCell::new(random),
            now: Cell::new(1_000_000),
            calm: Cell::new(false),
            log: RefCell::default(),
            names: RefCell::default(),
            window,
            open: RefCell::default(),
            revisions: Cell::new(0),
            requests: RefCell::default(),
            processes: RefCell::default(),
            told: RefCell::default(),
            tails: RefCell::default(),
            born: RefCell::default(),
            doomed: RefCell::default(),
            truth: RefCell::default(),
        })
    }

    /// True in so many of a hundred cases, and never when faults are over.
    pub(crate) fn fault(&self, percent: f64) -> bool {
        !self.calm.get() && self.chance(percent)
    }

    pub(crate) fn chance(&self, percent: f64) -> bool {
        self.random.borrow_mut().random_bool(percent / 100.0)
    }

    pub(crate) fn below(&self, most: usize) -> usize {
        self.random.borrow_mut().random_range(0..most)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.get())
    }

    pub(crate) fn pass(&self, millis: u64) {
        self.now.set(self.now.get() + millis);
    }

    pub(crate) fn spawn(&self, process: Process, task: impl Future<Output = ()> + 'static) {
        self.born.borrow_mut().push((process, Box::pin(task)));
    }

    /// Anybody else may go first.
    pub(crate) async fn pause(&self) {
        Pause(false).await;
    }

    /// A compare-and-set (or a free append) that may be lost on the way there or back.
    pub(crate) async fn append(
        &self,
        subject: &Subject,
        payload: Bytes,
        msg_id: Option<&str>,
        expect: (&Subject, u64),
    ) -> Result<u64, Lost> {
        self.pause().await;
        if self.fault(3.0) {
            return Err(if self.chance(50.0) {
                Lost::Away
            } else {
                Lost::Undecided
            });
        }
        // A leader that has just changed may refuse what is right.
        if self.fault(0.5) {
            return Err(Lost::Conflict);
        }
        let stored = self.store(subject, payload, msg_id, expect);
        if self.fault(3.0) {
            return Err(Lost::Away);
        }
        stored
    }

    fn store(
        &self,
        subject: &Subject,
        payload: Bytes,
        msg_id: Option<&str>,
        (filter, expected): (&Subject, u64),
    ) -> Result<u64, Lost> {
        let mut log = self.log.borrow_mut();
        if last_of(&log, filter.as_str()).map_or(0, |stored| stored.sequence) != expected {
            return Err(Lost::Conflict);
        }
        if let Some(id) = msg_id {
            let known = self.names.borrow().get(id).copied();
            if let Some((sequence, at)) = known
                && log.len() - at < self.window
            {
                return Ok(sequence);
            }
            self.names
                .borrow_mut()
                .insert(id.to_owned(), (log.len() as u64 + 1, log.len()));
        }
        let previous = last_of(&log, subject.as_str()).map_or(0, |stored| stored.sequence);
        let stored = Stored {
            subject: subject.to_string(),
            sequence: log.len() as u64 + 1,
            ts: self.now.get(),
            payload,
            msg_id: msg_id.map(str::to_owned),
        };
        self.truth.borrow_mut().stored(&stored);
        for tail in self.tails.borrow_mut().values_mut() {
            let of_run = stored.subject.split('.').nth(2) == Some(tail.run.as_str());
            // At most once, and nobody is told: not in fair weather either.
            if of_run && !self.chance(10.0) {
                tail.waiting.push_back((stored.clone(), previous));
            }
        }
        let sequence = stored.sequence;
        log.push(stored);
        Ok(sequence)
    }

    /// The last message of a subject as the leader has it.
    pub(crate) async fn leader<T: DeserializeOwned>(&self, subject: &Subject) -> Option<(u64, T)> {
        self.pause().await;
        let log = self.log.borrow();
        let stored = last_of(&log, subject.as_str())?;
        Some((
            stored.sequence,
            serde_json::from_slice(&stored.payload).unwrap(),
        ))
    }

    /// The last message of a subject as some replica has it: perhaps an older one.
    pub(crate) async fn replica(&self, subject: &Subject) -> Option<Stored> {
        self.pause().await;
        let log = self.log.borrow();
        last_of(&log[..self.lagging(log.len())], subject.as_str()).cloned()
    }

    /// Up to `limit` messages from a sequence on, as some replica has them, and how many more it has.
    pub(crate) async fn page(&self, filter: &str, from: u64, limit: usize) -> (Vec<Stored>, u64) {
        self.pause().await;
        let log = self.log.borrow();
        let seen = &log[..self.lagging(log.len())];
        let fits = |s: &&Stored| s.sequence >= from && matches(&s.subject, filter);
        let all: Vec<&Stored> = seen.iter().filter(fits).collect();
        let pending = all.len().saturating_sub(limit) as u64;
        (all.into_iter().take(limit).cloned().collect(), pending)
    }

    fn lagging(&self, length: usize) -> usize {
        let lag = if self.fault(15.0) { self.below(6) } else { 0 };
        length.saturating_sub(lag)
    }

    /// Everything a run's subject holds, for judging.
    pub(crate) fn all(&self, subject: &Subject) -> Vec<Stored> {
        let log = self.log.borrow();
        log.iter()
            .filter(|s| s.subject == subject.as_str())
            .cloned()
            .collect()
    }

    pub(crate) async fn put_open(&self, run: &RunId) {
        self.pause().await;
        self.revisions.set(self.revisions.get() + 1);
        self.open
            .borrow_mut()
            .insert(run.clone(), self.revisions.get());
    }

    pub(crate) async fn drop_open(&self, run: &RunId, revision: u64) {
        self.pause().await;
        let mut open = self.open.borrow_mut();
        if open.get(run) == Some(&revision) {
            open.remove(run);
        }
    }
}

fn matches(subject: &str, filter: &str) -> bool {
    match filter.strip_suffix(['*', '>']) {
        Some(beginning) => subject.starts_with(beginning),
        None => subject == filter,
    }
}

fn last_of<'a>(log: &'a [Stored], filter: &str) -> Option<&'a Stored> {
    log.iter()
        .rev()
        .find(|stored| matches(&stored.subject, filter))
}

pub(crate) fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap().into()
}

struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
