//! One cancel, retry or pick in hand.

use aideator_bus::Stored;
use aideator_contract::request::fits;
use aideator_contract::subject::{self, REQUESTS_STREAM, durable};
use aideator_contract::{Reason, RunId, Variation, limits};
use serde_json::Value;

use super::{Desk, Ending, letter};
use crate::decide::Fence;
use crate::decide::Known;
use crate::decide::command::{self, Command, Step, View};
use crate::error::{Error, doing};
use crate::ledger::{Stored as Written, now};
use crate::parse::read;
use crate::pause::Pause;

/// Decides a command, however long NATS is away.
pub(super) async fn decide(
    desk: &Desk,
    kind: subject::Command,
    stored: &Stored,
    redelivered: bool,
) -> Result<Ending, Error> {
    let mut hand = Hand {
        desk,
        kind,
        stored,
        again: redelivered,
        unsure: redelivered,
        acted: false,
        opened: false,
        buried: false,
    };
    let mut pause = Pause::default();
    let parsed = parse(kind, &stored.payload);
    loop {
        let stepped = match &parsed {
            Ok(command) => hand.step(command).await,
            Err(reason) => hand.refuse(reason).await,
        };
        match stepped {
            Ok(Some(ending)) => return Ok(ending),
            Ok(None) => pause.reset(),
            Err(error) if error.is_transient() => {
                (hand.again, hand.unsure) = (true, true);
                pause.after("deciding a command", &error).await;
            }
            Err(error) => return Err(error),
        }
    }
}

struct Hand<'a> {
    desk: &'a Desk,
    kind: subject::Command,
    stored: &'a Stored,
    /// Some of it may have been done before, unknown to us.
    again: bool,
    /// Its dead letter may be stored.
    unsure: bool,
    acted: bool,
    opened: bool,
    buried: bool,
}

impl Hand<'_> {
    async fn step(&mut self, command: &Command) -> Result<Option<Ending>, Error> {
        self.look_back().await?;
        let ledger = &self.desk.ledger;
        let run = command.run();
        // Before the state: what was accepted or queued meanwhile is seen there.
        let settled = self.decided(durable::SUBMITTER_RUN).await?;
        let retried = match command {
            Command::Cancel(_) => self.decided(durable::SUBMITTER_RETRY).await?,
            Command::Retry(_) | Command::Pick(_) => true,
        };
        let last = ledger.state(run).await?;
        let fences = match (&last, command) {
            (Some(known), Command::Cancel(_)) => self.fences(run, known).await?,
            _ => Vec::new(),
        };
        let spec = match (&last, command) {
            (Some(known), Command::Retry(_)) => ledger.spec(run, known).await?.is_some(),
            _ => true,
        };
        let room = self.desk.ledger.board().reserve(1, self.desk.queued);
        let view = View {
            command,
            sequence: self.stored.sequence,
            again: self.again,
            acted: self.acted,
            settled,
            retried,
            last: last.as_ref(),
            fences: &fences,
            opened: self.opened,
            spec,
            room: room.is_some(),
            buried: self.buried,
            at: now(),
        };
        match command::next(&view) {
            Step::Wait => return Ok(Some(Ending::Later)),
            Step::Open => {
                ledger.open(run).await?;
                self.opened = true;
            }
            Step::Close {
                variation,
                after,
                record,
            } => {
                let stored = ledger.record(run, variation, after, &record).await?;
                self.acted |= stored == Written::Yes;
            }
            Step::Write(write) => {
                if ledger.write(&write).await? == Written::Yes {
                    self.opened = false;
                    self.acted = true;
                }
            }
            Step::Bury(reason) => self.bury(reason, Some(run.clone())).await?,
            Step::Done => return Ok(Some(Ending::Settled)),
        }
        Ok(None)
    }

    /// Whether what this consumer delivers is decided as far as it was stored before this command.
    async fn decided(&self, durable: &str) -> Result<bool, Error> {
        let bus = self.desk.ledger.bus();
        let floor = bus.consumer_ack_floor(REQUESTS_STREAM, durable).await;
        let floor = floor.map_err(doing("ask how far commands are decided"))?;
        Ok(floor >= self.stored.sequence)
    }

    async fn fences(&self, run: &RunId, known: &Known) -> Result<Vec<Option<Fence>>, Error> {
        let mut fences = Vec::new();
        for variation in Variation::first(known.summary().variations.len()) {
            fences.push(self.desk.ledger.fence(run, variation).await?);
        }
        Ok(fences)
    }

    async fn look_back(&mut self) -> Result<(), Error> {
        if self.unsure {
            let sequence = self.stored.sequence;
            self.buried = self.desk.ledger.is_buried(self.kind, sequence).await?;
            self.unsure = false;
        }
        Ok(())
    }

    async fn refuse(&mut self, reason: &Reason) -> Result<Option<Ending>, Error> {
        self.look_back().await?;
        if self.buried {
            return Ok(Some(Ending::Settled));
        }
        let value: Value = serde_json::from_slice(&self.stored.payload).unwrap_or_default();
        let run = value["run_id"].as_str().and_then(|id| id.parse().ok());
        self.bury(reason.clone(), run).await?;
        Ok(Some(Ending::Settled))
    }

    async fn bury(&mut self, reason: Reason, run: Option<RunId>) -> Result<(), Error> {
        let (command, sequence) = (self.kind, self.stored.sequence);
        tracing::info!(%command, sequence, code = reason.code.wire(), %reason, "a command is refused");
        let letter = letter::about(self.stored, reason, run);
        self.desk.ledger.bury(command, &letter).await?;
        self.buried = true;
        Ok(())
    }
}

fn parse(kind: subject::Command, payload: &[u8]) -> Result<Command, Reason> {
    let remark = |text: &Option<String>| fits("reason", text.as_deref(), limits::REMARK_BYTES);
    match kind {
        subject::Command::Cancel => {
            let cancel: aideator_contract::request::CancelRequest = read(payload)?;
            remark(&cancel.reason)?;
            Ok(Command::Cancel(cancel))
        }
        subject::Command::Pick => {
            let pick: aideator_contract::request::PickRequest = read(payload)?;
            remark(&pick.reason)?;
            Ok(Command::Pick(pick))
        }
        subject::Command::Retry | subject::Command::Run => Ok(Command::Retry(read(payload)?)),
    }
}
