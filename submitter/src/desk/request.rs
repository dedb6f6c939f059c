//! One run request in hand.

use std::ops::ControlFlow;

use aideator_bus::Stored;
use aideator_contract::request::{RunRequest, ValidRun};
use aideator_contract::subject::Command;
use aideator_contract::{Reason, RunId, RunSpec, Timestamp, canonical};
use serde_json::Value;

use super::{Desk, Ending, letter};
use crate::board::Reservation;
use crate::decide::request::{self, Request, Step, View};
use crate::decide::schedule;
use crate::error::Error;
use crate::ledger::now;
use crate::parse::read;
use crate::pause::Pause;

/// Decides a request, however long NATS is away.
pub(super) async fn decide(
    desk: &Desk,
    stored: &Stored,
    redelivered: bool,
) -> Result<Ending, Error> {
    let mut hand = Hand::take(stored, redelivered);
    let mut pause = Pause::default();
    loop {
        match hand.step(desk).await {
            Ok(ControlFlow::Break(())) => return Ok(Ending::Settled),
            Ok(ControlFlow::Continue(())) => pause.reset(),
            Err(error) if error.is_transient() => {
                hand.again = true;
                pause.after("deciding a request", &error).await;
            }
            Err(error) => return Err(error),
        }
    }
}

struct Hand<'a> {
    stored: &'a Stored,
    request: Request,
    asked: Option<RunRequest>,
    verdict: Option<Result<RunSpec, Reason>>,
    room: Option<Reservation<'a>>,
    opened: bool,
    buried: bool,
    /// Some of it may have been done before, unknown to us.
    again: bool,
}

impl<'a> Hand<'a> {
    fn take(stored: &'a Stored, again: bool) -> Self {
        let parsed = read::<RunRequest>(&stored.payload);
        let (request, asked, verdict) = match parsed {
            Ok(asked) => {
                let request = identify(stored, asked.run_id.as_deref(), asked.sha256());
                (request, Some(asked), None)
            }
            Err(reason) => (unreadable(stored), None, Some(Err(reason))),
        };
        Self {
            stored,
            request,
            asked,
            verdict,
            room: None,
            opened: false,
            buried: false,
            again,
        }
    }

    async fn step(&mut self, desk: &'a Desk) -> Result<ControlFlow<()>, Error> {
        if self.again {
            let sequence = self.stored.sequence;
            self.buried = desk.ledger.is_buried(Command::Run, sequence).await?;
            self.again = false;
        }
        let last = desk.ledger.state(&self.request.run).await?;
        let view = View {
            request: &self.request,
            last: last.as_ref(),
            verdict: self.verdict.as_ref(),
            opened: self.opened,
            buried: self.buried,
            at: now(),
        };
        match request::next(&view) {
            Step::Judge => {
                let verdict = self.judge(desk).await;
                self.verdict = Some(verdict);
            }
            Step::Open => {
                desk.ledger.open(&self.request.run).await?;
                self.opened = true;
            }
            Step::Write(write) => {
                desk.ledger.write(&write).await?;
            }
            Step::Bury(reason) => {
                let (run, sequence) = (&self.request.run, self.request.sequence);
                tracing::info!(%run, sequence, code = reason.code.wire(), %reason, "a request is refused");
                let run = self.request.named.then(|| run.clone());
                let letter = letter::about(self.stored, reason, run);
                desk.ledger.bury(Command::Run, &letter).await?;
                self.buried = true;
            }
            Step::Done => return Ok(ControlFlow::Break(())),
        }
        Ok(ControlFlow::Continue(()))
    }

    async fn judge(&mut self, desk: &'a Desk) -> Result<RunSpec, Reason> {
        let asked = self.asked.as_ref().expect("what is not judged was parsed");
        let ValidRun {
            mut spec,
            repository,
            ..
        } = asked.validate(&desk.installation)?;
        if let (Some(repository), Some(source)) = (repository, spec.source.as_mut()) {
            let reference = source.reference.as_deref();
            let commit = desk.resolver.commit(&repository, reference).await?;
            source.commit = Some(commit);
        }
        let room = desk
            .ledger
            .board()
            .reserve(spec.variations.len(), desk.queued);
        self.room = Some(room.ok_or_else(schedule::queue_full)?);
        Ok(spec)
    }
}

/// The run of a request: by its own word, else by its message's name, else by its place.
fn identify(stored: &Stored, given: Option<&str>, sha256: String) -> Request {
    let given: Option<RunId> = given.and_then(|id| id.parse().ok());
    let named = given.or_else(|| stored.msg_id.as_deref().map(RunId::from_key));
    let by_place = || RunId::from_sequence(stored.sequence, Timestamp::from_millis(stored.ts));
    Request {
        named: named.is_some(),
        run: named.unwrap_or_else(by_place),
        sequence: stored.sequence,
        sha256,
    }
}

/// What can't be read may still say which run it is about.
fn unreadable(stored: &Stored) -> Request {
    let mut value: Value = serde_json::from_slice(&stored.payload).unwrap_or_default();
    let given = value.as_object_mut().and_then(|o| o.remove("run_id"));
    let given = given.as_ref().and_then(Value::as_str);
    let sha256 = match &value {
        Value::Null => canonical::sha256_hex(&stored.payload),
        value => canonical::sha256_of(value),
    };
    identify(stored, given, sha256)
}
