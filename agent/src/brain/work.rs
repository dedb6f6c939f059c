//! The work of one attempt, step by step, and its end.

use std::time::Instant;

use aideator_contract::event::Event;
use aideator_contract::limits::{CLONE_TIME, REPOSITORY_SIZE};
use aideator_contract::report::{Done, Outcome, Report};
use aideator_contract::{AttemptSpec, Code, Mode, Reason};
use futures::StreamExt as _;

use super::narrator::Narrator;
use super::voice::Voice;
use super::{Tools, prompt};
use crate::Error;
use crate::hands::{CloneOrder, DigestOrder, ExecEvent, ExecOrder, Hands};
use crate::model::{self, Meter, ModelEvent};

/// One attempt in the making. [`run`](Self::run) may be dropped at any moment; [`end`](Self::end) then
/// still knows everything that was said.
pub(super) struct Work<'a> {
    tools: &'a Tools,
    spec: AttemptSpec,
    voice: Voice,
    narrator: Narrator,
    hands: Option<Hands>,
    /// The commit that was fetched.
    commit: String,
    meter: Option<Meter>,
    finish_reason: String,
}

/// Why the work stops before its end.
enum Stop {
    /// It can't be done; that is told.
    Failed(Reason),
    /// Nobody can be told.
    Lost(Error),
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Failed(reason)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Lost(error)
    }
}

impl<'a> Work<'a> {
    pub(super) fn new(tools: &'a Tools, spec: AttemptSpec, voice: Voice) -> Self {
        let narrator = Narrator::new(tools.secrets.clone(), spec.output_bytes);
        Self {
            tools,
            spec,
            voice,
            narrator,
            hands: None,
            commit: String::new(),
            meter: None,
            finish_reason: "stop".to_owned(),
        }
    }

    /// Does the work. Gives how it ended.
    pub(super) async fn run(&mut self) -> Result<Outcome, Error> {
        let done = match self.spec.mode {
            Mode::Analyze => self.analyze().await,
            Mode::Exec => self.exec().await,
        };
        match done {
            Ok(()) => Ok(Outcome::Succeeded),
            Err(Stop::Failed(reason)) => Ok(Outcome::Failed { reason }),
            Err(Stop::Lost(error)) => Err(error),
        }
    }

    async fn analyze(&mut self) -> Result<(), Stop> {
        let model = model::open(&self.spec.variation_spec.model, &self.tools.settings).await?;
        if self.spec.source.is_some() {
            self.start_hands().await?;
        }
        self.voice.report(Report::Ready)?;
        self.fetch(false).await?;
        let digest = self.digest().await?;
        let request = prompt::request(&self.spec, digest.as_deref());
        let meter = Meter::new(&request.model, request.system.len() + request.prompt.len());
        let meter = self.meter.insert(meter);
        self.voice.say(vec![Event::StartStep]).await?;
        let asked = Instant::now();
        let mut answer = model.ask(request);
        while let Some(said) = answer.next().await {
            let said = said.map_err(|fault| fault.reason)?;
            let first = match &said {
                ModelEvent::TextDelta(text) => meter.said(text.len(), false, asked.elapsed()),
                ModelEvent::ReasoningDelta(text) => meter.said(text.len(), true, asked.elapsed()),
                ModelEvent::Usage(tokens) => {
                    meter.reported(*tokens);
                    None
                }
                ModelEvent::Finish(reason) => {
                    self.finish_reason.clone_from(reason);
                    None
                }
                _ => None,
            };
            self.narrator.stored(self.voice.stored_bytes());
            self.voice.say(self.narrator.model(said)).await?;
            if let Some(ttft) = first {
                self.voice.report(first_token(ttft))?;
            }
            if self.narrator.truncated() {
                "truncated".clone_into(&mut self.finish_reason);
                break;
            }
        }
        Ok(())
    }

    async fn exec(&mut self) -> Result<(), Stop> {
        self.start_hands().await?;
        self.voice.report(Report::Ready)?;
        self.fetch(true).await?;
        self.voice.say(vec![Event::StartStep]).await?;
        let command = self.spec.prompt.clone();
        let hands = hands(&mut self.hands)?;
        hands.exec(ExecOrder { command }).await?;
        let asked = Instant::now();
        let mut first = true;
        let code = loop {
            match hands.next().await? {
                ExecEvent::Output(text) => {
                    // Beyond the output limit the command goes on unheard, so that its exit code is true.
                    self.narrator.stored(self.voice.stored_bytes());
                    self.voice.say(self.narrator.output(&text)).await?;
                    if std::mem::take(&mut first) {
                        self.voice.report(first_token(asked.elapsed()))?;
                    }
                }
                ExecEvent::Exited(code) => break code,
                ExecEvent::Cancelled => {
                    return Err(Reason::new(
                        Code::HandsFailed,
                        "the command was ended by its hands",
                    )
                    .into());
                }
            }
        };
        self.finish_reason = format!("exit-{code}");
        if code == 0 {
            Ok(())
        } else {
            Err(Reason::new(
                Code::CommandFailed,
                format!("the command ended with exit code {code}"),
            )
            .into())
        }
    }

    async fn start_hands(&mut self) -> Result<(), Reason> {
        self.hands = Some(Hands::begin(&self.tools.hands).await?);
        Ok(())
    }

    /// Has the repository fetched, if there is one.
    async fn fetch(&mut self, checkout: bool) -> Result<(), Stop> {
        let Some(source) = self.spec.source.clone() else {
            return Ok(());
        };
        let order = CloneOrder {
            source,
            tip: self.tools.tip,
            checkout,
            limit_bytes: REPOSITORY_SIZE,
            limit_ms: u64::try_from(CLONE_TIME.as_millis()).unwrap_or(u64::MAX),
        };
        let cloned = hands(&mut self.hands)?.clone_repository(order).await?;
        self.commit = cloned.commit;
        self.voice.report(Report::Cloned {
            took_ms: cloned.took_ms,
        })?;
        Ok(())
    }

    async fn digest(&mut self) -> Result<Option<String>, Reason> {
        if self.spec.source.is_none() {
            return Ok(None);
        }
        let order = DigestOrder {
            commit: self.commit.clone(),
            prompt: self.spec.prompt.clone(),
            budget_bytes: prompt::digest_bytes(
                &self.spec.variation_spec.model,
                self.tools.digest_tokens,
            ),
        };
        hands(&mut self.hands)?.digest(order).await.map(Some)
    }

    /// Publishes what is in hand, how it ended and the last word. Meanwhile the hands end what they
    /// do, whether anything can be published or not; the last word comes after that.
    pub(super) async fn end(mut self, outcome: Outcome) -> Result<(), Error> {
        let hands = self.hands.take();
        let ending = async {
            if let Some(hands) = hands {
                hands.end().await;
            }
        };
        let usage = self.meter.as_ref().map(Meter::usage);
        let mut events = self.narrator.finish();
        events.extend(usage.clone().map(|data| Event::DataUsage { data }));
        events.push(self.last_event(&outcome));
        let telling = async {
            self.voice.say(events).await?;
            self.voice.flush().await
        };
        let ((), told) = tokio::join!(ending, telling);
        told?;
        let outcome = self.redacted(outcome);
        let done = Done {
            outcome,
            usage,
            digest: self.voice.digest(),
            out_n: self.voice.stored_n(),
        };
        self.voice.report(Report::Done(Box::new(done)))?;
        self.voice.flush().await
    }

    fn last_event(&self, outcome: &Outcome) -> Event {
        match outcome {
            Outcome::Succeeded => Event::Finish {
                finish_reason: self.finish_reason.clone(),
            },
            Outcome::Failed { reason } if reason.code == Code::CommandFailed => Event::Finish {
                finish_reason: self.finish_reason.clone(),
            },
            Outcome::Failed { reason } => Event::Error {
                code: reason.code.wire(),
                error_text: self.tools.secrets.clean(&reason.message),
            },
            Outcome::Cancelled => Event::Abort {
                reason: "cancelled on request".to_owned(),
            },
            Outcome::TimedOut => Event::Abort {
                reason: "the deadline passed".to_owned(),
            },
        }
    }

    fn redacted(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Failed { reason } => Outcome::Failed {
                reason: Reason::new(reason.code, self.tools.secrets.clean(&reason.message)),
            },
            other => other,
        }
    }
}

fn first_token(ttft: std::time::Duration) -> Report {
    Report::FirstToken {
        ttft_ms: u64::try_from(ttft.as_millis()).unwrap_or(u64::MAX),
    }
}

fn hands(hands: &mut Option<Hands>) -> Result<&mut Hands, Reason> {
    hands
        .as_mut()
        .ok_or_else(|| Reason::new(Code::Internal, "the hands were not started"))
}
