//! Following one run: its stream, resumed exactly where it broke off.

use std::collections::VecDeque;
use std::time::Duration;

use aideator_contract::{OutMessage, RunId, StateMessage};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use super::client::innermost;
use super::sse::{Frame, Parser};
use super::{Client, Problem};
use crate::error::Error;

/// A stream that says nothing for this long is dead: the server pings every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// How long a server that was there may be away.
const AWAY: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(3);

/// What a stream tells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// An agent's event, and its bytes as they are stored.
    Out(Box<OutMessage>, String),
    /// A change of the run, and its bytes as they are stored.
    State(Box<StateMessage>, String),
    /// Everything of the past was told; what follows is live.
    CaughtUp,
    /// Something is missing, and why.
    Gap(String),
    /// The line broke; it is opened again from where it was.
    Lost(String),
}

/// A run's stream.
#[derive(Debug)]
pub(crate) struct Follow {
    client: Client,
    run: RunId,
    position: Option<String>,
    line: Option<(Response, Parser)>,
    frames: VecDeque<Frame>,
    was_there: bool,
    ended: bool,
}

impl Follow {
    pub(super) fn new(client: Client, run: RunId, position: Option<String>) -> Self {
        Self {
            client,
            run,
            position,
            line: None,
            frames: VecDeque::new(),
            was_there: false,
            ended: false,
        }
    }

    /// The place in the stream behind what was told last.
    pub(crate) fn position(&self) -> Option<&str> {
        self.position.as_deref()
    }

    /// The next thing; `None` when the run is finished and everything was told.
    pub(crate) async fn next(&mut self) -> Result<Option<Told>, Error> {
        loop {
            while let Some(frame) = self.frames.pop_front() {
                let told = read(&frame)?;
                self.position = frame.id.or(self.position.take());
                match told {
                    Read::Told(told) => return Ok(Some(told)),
                    Read::End => self.ended = true,
                    Read::Nothing => {}
                }
            }
            if self.ended {
                return Ok(None);
            }
            let Some((response, parser)) = &mut self.line else {
                self.open().await?;
                continue;
            };
            let why = match timeout(SILENCE, response.chunk()).await {
                Ok(Ok(Some(bytes))) => {
                    self.frames.extend(parser.feed(&bytes));
                    continue;
                }
                // The server closes streams when it stops or when we were too slow: resume.
                Ok(Ok(None)) => String::from("the server closed the stream"),
                Ok(Err(error)) => innermost(&error),
                Err(_) => format!("no sign of life for {} s", SILENCE.as_secs()),
            };
            self.line = None;
            return Ok(Some(Told::Lost(why)));
        }
    }

    /// Opens the line. A server that never answered is an error at once; one that was there is waited for.
    async fn open(&mut self) -> Result<(), Error> {
        let limit = Instant::now() + AWAY;
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self
                .client
                .stream(&self.run, self.position.as_deref())
                .await
            {
                Ok(response) => {
                    self.was_there = true;
                    if response.status() == StatusCode::NO_CONTENT {
                        self.ended = true;
                    } else {
                        self.line = Some((response, Parser::default()));
                    }
                    return Ok(());
                }
                Err(error) => error,
            };
            let passing = match &error {
                Error::Unreachable { .. } => true,
                Error::Problem(problem) => !problem.is_ours(),
                _ => false,
            };
            if !passing || !self.was_there || Instant::now() > limit {
                return Err(error);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }
}

enum Read {
    Told(Told),
    End,
    Nothing,
}

#[derive(Deserialize)]
struct Gap {
    #[serde(default)]
    reason: String,
}

fn read(frame: &Frame) -> Result<Read, Error> {
    let unreadable = |source| Error::Answer {
        server: String::from("the stream"),
        source,
    };
    Ok(match frame.event.as_str() {
        "" | "message" => {
            let out = serde_json::from_str(&frame.data).map_err(unreadable)?;
            Read::Told(Told::Out(Box::new(out), frame.data.clone()))
        }
        "state" => {
            let state = serde_json::from_str(&frame.data).map_err(unreadable)?;
            Read::Told(Told::State(Box::new(state), frame.data.clone()))
        }
        "caught-up" => Read::Told(Told::CaughtUp),
        "gap" => {
            let gap: Gap = serde_json::from_str(&frame.data).map_err(unreadable)?;
            Read::Told(Told::Gap(gap.reason))
        }
        "error" => return Err(Error::Problem(Problem::read(0, &frame.data))),
        "end" => Read::End,
        // An event of a newer version.
        _ => Read::Nothing,
    })
}
