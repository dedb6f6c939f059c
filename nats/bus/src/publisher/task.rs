//! The task that does what the machine says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aideator_contract::usage::Digest;
use aideator_contract::{Event, OutMessage, Report, Subject, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::machine::Machine;
use super::protocol::{Action, Failure, Input, OutSeen, Outgoing};
use super::{Ended, Speaker, TooLarge};
use crate::{Append, AppendError, Bus, Expect, Stored};

/// How long an ack may take before the message counts as lost and is looked for.
const ACK: Duration = Duration::from_secs(3);

/// Publishes what one attempt says. Dropping it ends publishing at once; [`flush`](Self::flush) first.
#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    machine: Mutex<Machine>,
    /// Changes after every push: there may be work.
    pushed: watch::Sender<()>,
    /// Changes after every step: something may be stored, or over.
    stepped: watch::Sender<()>,
}

impl Publisher {
    /// Claims the attempt behind `fence` (see [`open`](super::open)) by storing `start`, however
    /// long NATS is away.
    ///
    /// # Errors
    /// The attempt is another process's, or over.
    pub async fn start(
        bus: Bus,
        speaker: Speaker,
        fence: u64,
        model: impl Into<String>,
    ) -> Result<Self, Ended> {
        let subjects = [
            Subject::attempt(&speaker.run, speaker.variation),
            Subject::out(&speaker.run, speaker.variation),
        ];
        let machine = Machine::new(speaker, fence, model.into(), now());
        let shared = Arc::new(Shared {
            machine: Mutex::new(machine),
            pushed: watch::Sender::new(()),
            stepped: watch::Sender::new(()),
        });
        let task = tokio::spawn(drive(bus, subjects, Arc::clone(&shared)));
        let publisher = Self { shared, task };
        publisher
            .until(|machine| machine.is_claimed().then_some(()))
            .await?;
        Ok(publisher)
    }

    /// Takes an event to be published after all before it. Waits while 4 MiB are queued.
    ///
    /// # Errors
    /// Nothing more can be published; or ([`Ended::Impossible`]) the event is too large.
    pub async fn push(&self, event: Event) -> Result<(), Ended> {
        self.until(|machine| machine.has_room(&event).then_some(()))
            .await?;
        let pushed = self.shared.lock().push(event, now());
        pushed.map_err(|too_large: TooLarge| Ended::Impossible(too_large.to_string()))?;
        self.shared.pushed.send_replace(());
        Ok(())
    }

    /// Takes a report to be published after all before it.
    ///
    /// # Errors
    /// Nothing more can be published.
    pub fn report(&self, report: Report) -> Result<(), Ended> {
        let mut machine = self.shared.lock();
        if let Some(ended) = machine.ended() {
            return Err(ended.clone());
        }
        machine.report(report, now());
        drop(machine);
        self.shared.pushed.send_replace(());
        Ok(())
    }

    /// Waits until everything pushed so far is stored, however long NATS is away.
    ///
    /// # Errors
    /// Nothing more can be published.
    pub async fn flush(&self) -> Result<(), Ended> {
        let all = self.shared.lock().pushes();
        self.until(|machine| (machine.settled() >= all).then_some(()))
            .await
    }

    /// Waits until nothing more can be published, and says why.
    pub async fn ended(&self) -> Ended {
        let never = self.until(|_| None::<std::convert::Infallible>).await;
        match never {
            Err(ended) => ended,
            Ok(never) => match never {},
        }
    }

    /// The digest of all text pushed so far.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.shared.lock().digest()
    }

    /// The highest `n` stored on `.out`: after [`flush`](Self::flush), that of the last event.
    #[must_use]
    pub fn stored_n(&self) -> u64 {
        self.shared.lock().stored_n().unwrap_or(0)
    }

    /// Bytes published on `.out` so far, as they are stored.
    #[must_use]
    pub fn out_bytes(&self) -> u64 {
        self.shared.lock().out_bytes()
    }

    /// Waits until `done` finds something, or publishing is over.
    async fn until<T>(&self, mut done: impl FnMut(&Machine) -> Option<T>) -> Result<T, Ended> {
        let mut stepped = self.shared.stepped.subscribe();
        loop {
            stepped.mark_unchanged();
            {
                let machine = self.shared.lock();
                if let Some(ended) = machine.ended() {
                    return Err(ended.clone());
                }
                if let Some(found) = done(&machine) {
                    return Ok(found);
                }
            }
            if self.task.is_finished() || stepped.changed().await.is_err() {
                return Err(Ended::Dropped);
            }
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// No code panics while it holds the lock; if it did, the machine would still be whole.
    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn drive(bus: Bus, [attempt, out]: [Subject; 2], shared: Arc<Shared>) {
    let mut pushed = shared.pushed.subscribe();
    loop {
        pushed.mark_unchanged();
        let action = shared.lock().action();
        let input = match action {
            Action::Idle => match pushed.changed().await {
                Ok(()) => continue,
                Err(_) => return,
            },
            Action::Send(message) => send(&bus, message).await,
            Action::ReadAttempt => match bus.last(&attempt).await {
                Ok(last) => Input::Attempt(last.map(|stored| stored.sequence)),
                Err(error) => unread(&error),
            },
            Action::ReadOut => match bus.last(&out).await {
                Ok(last) => Input::Out(last.as_ref().and_then(seen)),
                Err(error) => unread(&error),
            },
            Action::Wait(pause) => {
                sleep(pause).await;
                Input::Waited
            }
            Action::End(ended) => {
                tracing::info!(%ended, "publishing is over");
                return;
            }
        };
        shared.lock().apply(input);
        shared.stepped.send_replace(());
    }
}

async fn send(bus: &Bus, message: Outgoing) -> Input {
    let how = Append {
        msg_id: Some(&message.msg_id),
        expect: Expect::LastOn {
            filter: &message.filter,
            sequence: message.sequence,
        },
        timeout: ACK,
        ..Append::default()
    };
    match bus.append(&message.subject, message.payload, how).await {
        Ok(_) => Input::Stored,
        Err(error) => {
            tracing::debug!(%error, msg_id = message.msg_id, "not stored yet");
            Input::Failed(failure(error))
        }
    }
}

fn failure(error: AppendError) -> Failure {
    match error {
        AppendError::Conflict(_) => Failure::Conflict,
        AppendError::Undecided(_) => Failure::Undecided,
        AppendError::Unreachable(_) => Failure::Away,
        // An answer nobody foresaw may pass; the run's deadline ends what does not.
        AppendError::Full(_) | AppendError::Other { .. } => Failure::Full,
        AppendError::Refused(text) => Failure::Refused(text),
        AppendError::TooLarge(text) => Failure::Impossible(text),
    }
}

fn unread(error: &crate::Error) -> Input {
    tracing::debug!(%error, "not read yet");
    Input::Unread
}

/// A message that is not one of ours tells nothing.
fn seen(stored: &Stored) -> Option<OutSeen> {
    let message: OutMessage = serde_json::from_slice(&stored.payload).ok()?;
    Some(OutSeen {
        sequence: stored.sequence,
        attempt: message.attempt,
        n: message.n,
        process: match message.event {
            Event::Start { process, .. } => Some(process),
            _ => None,
        },
    })
}

fn now() -> Timestamp {
    SystemTime::now().into()
}
