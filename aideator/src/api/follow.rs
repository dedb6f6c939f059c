//! Following one run: its stream, resumed exactly where it broke off.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use aideator_contract::{OutMessage, RunId, StateMessage};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout_at};

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

/// A run's stream. A cancelled `next` goes on where it was.
pub(crate) struct Follow {
    client: Client,
    run: RunId,
    position: Option<String>,
    line: Line,
    frames: VecDeque<Frame>,
    /// The pause before the line is opened again; `None` while it brings something new.
    in_vain: Option<Duration>,
    was_there: bool,
    ended: bool,
}

enum Line {
    Closed,
    Opening(Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>),
    Open {
        response: Box<Response>,
        parser: Parser,
        heard: Instant,
    },
}

impl Follow {
    pub(super) fn new(client: Client, run: RunId, position: Option<String>) -> Self {
        Self {
            client,
            run,
            position,
            line: Line::Closed,
            frames: VecDeque::new(),
            in_vain: None,
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
                    Read::Told(told) => {
                        if matches!(told, Told::Out(..) | Told::State(..)) {
                            self.in_vain = None;
                        }
                        return Ok(Some(told));
                    }
                    Read::End => self.ended = true,
                    Read::Nothing => {}
                }
            }
            if self.ended {
                return Ok(None);
            }
            if let Some(why) = self.read_on().await? {
                self.line = Line::Closed;
                // Said once, however often it breaks until something new comes.
                let is_first = self.in_vain.is_none();
                self.in_vain = Some(self.in_vain.map_or(Duration::ZERO, longer));
                if is_first {
                    return Ok(Some(Told::Lost(why)));
                }
            }
        }
    }

    /// Opens the line or reads a piece of it; says why when it broke.
    async fn read_on(&mut self) -> Result<Option<String>, Error> {
        match &mut self.line {
            Line::Closed => {
                let (client, run) = (self.client.clone(), self.run.clone());
                let pause = self.in_vain.unwrap_or_default();
                let opening = open(client, run, self.position.clone(), self.was_there, pause);
                self.line = Line::Opening(Box::pin(opening));
            }
            Line::Opening(opening) => {
                let opened = opening.await;
                self.line = Line::Closed;
                let response = opened?;
                self.was_there = true;
                if response.status() == StatusCode::NO_CONTENT {
                    self.ended = true;
                } else {
                    self.line = Line::Open {
                        response: Box::new(response),
                        parser: Parser::default(),
                        heard: Instant::now(),
                    };
                }
            }
            Line::Open {
                response,
                parser,
                heard,
            } => match timeout_at(*heard + SILENCE, response.chunk()).await {
                Ok(Ok(Some(bytes))) => {
                    self.frames.extend(parser.feed(&bytes));
                    *heard = Instant::now();
                }
                // The server closes streams when it stops or when we were too slow: resume.
                Ok(Ok(None)) => return Ok(Some(String::from("the server closed the stream"))),
                Ok(Err(error)) => return Ok(Some(innermost(&error))),
                Err(_) => {
                    let silence = format!("no sign of life for {} s", SILENCE.as_secs());
                    return Ok(Some(silence));
                }
            },
        }
        Ok(None)
    }
}

/// Opens a line, after a pause. A server that never answered is an error at once; one that was there is
/// waited for.
async fn open(
    client: Client,
    run: RunId,
    position: Option<String>,
    was_there: bool,
    mut pause: Duration,
) -> Result<Response, Error> {
    let limit = Instant::now() + AWAY;
    loop {
        sleep(pause).await;
        let error = match client.stream(&run, position.as_deref()).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let passing = match &error {
            Error::Unreachable { .. } => true,
            Error::Problem(problem) => !problem.is_ours(),
            _ => false,
        };
        if !passing || !was_there || Instant::now() > limit {
            return Err(error);
        }
        pause = longer(pause);
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE)
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::{interval, timeout};

    use super::*;

    const OUT: &str = concat!(
        "data: {\"v\":1,\"run\":\"r\",\"variation\":0,\"attempt\":1,\"n\":0,\"ts\":1,",
        "\"type\":\"text-delta\",\"id\":\"t\",\"delta\":\"x\"}\n\n"
    );

    /// A server whose streams end at once, the last of `bodies` for ever.
    async fn server(bodies: &'static [&'static str]) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for nth in 0.. {
                let (mut socket, _) = listener.accept().await.unwrap();
                let _ = socket.read(&mut [0; 4096]).await.unwrap();
                let body = bodies[nth.min(bodies.len() - 1)];
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}"
                );
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Client::new(&address.to_string(), None).unwrap()
    }

    /// The next thing, asked for as a live picture does: given up and asked for again all the time.
    async fn next(follow: &mut Follow) -> Told {
        let mut frames = interval(Duration::from_millis(5));
        let told = async {
            loop {
                tokio::select! {
                    told = follow.next() => return told.unwrap().unwrap(),
                    _ = frames.tick() => {}
                }
            }
        };
        timeout(Duration::from_secs(20), told).await.unwrap()
    }

    #[tokio::test]
    async fn a_line_that_brings_nothing_is_opened_ever_more_rarely_and_said_to_break_once() {
        const NOTHING: &str = "event: caught-up\ndata: {}\n\n";
        let client = server(&["", "", NOTHING, "", OUT]).await;
        let mut follow = client.follow(&"r".parse().unwrap(), None);
        let began = Instant::now();
        assert!(matches!(next(&mut follow).await, Told::Lost(_)));
        assert_eq!(next(&mut follow).await, Told::CaughtUp);
        assert!(matches!(next(&mut follow).await, Told::Out(..)));
        // At once, then after 100, 200 and 400 ms.
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(700), "{took:?}");
        // Something new came, so the next break is news again.
        assert!(matches!(next(&mut follow).await, Told::Lost(_)));
        assert!(matches!(next(&mut follow).await, Told::Out(..)));
    }
}
