//! A viewer of one run that keeps what it saw, and goes on from there on any edge.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;

use super::http::ask;

/// What a viewer knows of a run, over all its connections.
#[derive(Debug, Default, Clone)]
pub struct Viewer {
    /// The run.
    pub run: String,
    /// Its position.
    pub id: Option<String>,
    /// By variation and attempt.
    pub texts: BTreeMap<(u64, u64), String>,
    /// The last attempt and `n` of each variation.
    pub last: BTreeMap<u64, (u64, u64)>,
    /// Every agent's event as it was sent, by variation.
    pub events: BTreeMap<u64, Vec<String>>,
    /// The last state.
    pub state: Value,
    /// The run is over and all of it was seen.
    pub ended: bool,
    /// The past was seen, on this connection.
    pub caught_up: bool,
    /// What must never happen.
    pub faults: Vec<String>,
}

/// An open stream.
pub struct Line(BufReader<TcpStream>);

/// One server-sent event.
#[derive(Debug, Default)]
pub struct Event {
    /// Its name; empty for an agent's event.
    pub name: String,
    /// The position behind it.
    pub id: Option<String>,
    /// Its data.
    pub data: String,
}

impl Viewer {
    /// Who knows nothing yet.
    pub fn of(run: &str) -> Self {
        Self {
            run: run.to_owned(),
            ..Self::default()
        }
    }

    /// Connects, from where it is. `None` if there is nobody, or nothing more to see.
    pub async fn join(&mut self, edge: SocketAddr) -> Option<Line> {
        self.caught_up = false;
        let path = format!("/api/v1/runs/{}/stream", self.run);
        let position = self.id.clone().unwrap_or_default();
        let from = [("Last-Event-ID", position.as_str())];
        let from = if self.id.is_some() { &from[..] } else { &[] };
        let head = ask(edge, "GET", &path, from, "").await.ok()?;
        match head.status {
            200 => Some(Line(head.body)),
            204 => {
                if self.state["summary"]["status"] != "finished" {
                    self.faults.push("204 before the end".into());
                }
                self.ended = true;
                None
            }
            // An edge whose NATS is away may say so; asking again is right.
            503 => None,
            status => {
                self.faults.push(format!("the edge answered {status}"));
                None
            }
        }
    }

    /// Takes the next event in; `None` once the line is cut or the run has ended.
    pub async fn next(&mut self, line: &mut Line) -> Option<Event> {
        let event = line.event().await?;
        self.take(&event);
        Some(event)
    }

    /// Watches to the end, over as many connections as it needs.
    pub async fn to_the_end(&mut self, edge: SocketAddr) {
        while !self.ended {
            if let Some(mut line) = self.join(edge).await {
                while self.next(&mut line).await.is_some() {}
            }
        }
    }

    /// Bytes of text seen in all.
    pub fn bytes(&self) -> usize {
        self.texts.values().map(String::len).sum()
    }

    /// The text of a variation's attempt.
    pub fn text(&self, variation: u64, attempt: u64) -> &str {
        self.texts.get(&(variation, attempt)).map_or("", |t| t)
    }

    fn take(&mut self, event: &Event) {
        if event.id.is_some() {
            self.id.clone_from(&event.id);
        }
        match event.name.as_str() {
            "" => self.take_out(&event.data),
            "state" => self.take_state(&event.data),
            "caught-up" => self.caught_up = true,
            "end" => self.ended = true,
            name => self.faults.push(format!("{name}: {}", event.data)),
        }
    }

    fn take_out(&mut self, data: &str) {
        let json: Value = serde_json::from_str(data).unwrap();
        let number = |name: &str| json[name].as_u64().unwrap();
        let (variation, at) = (number("variation"), (number("attempt"), number("n")));
        let last = self.last.get(&variation).copied();
        if last.is_some_and(|last| at <= last) {
            return;
        }
        let follows = match last {
            Some((attempt, n)) if attempt == at.0 => at.1 == n + 1,
            _ => at.1 == 0,
        };
        if !follows {
            let gap = format!("variation {variation}: {last:?} is followed by {at:?}");
            self.faults.push(gap);
        }
        self.last.insert(variation, at);
        self.events
            .entry(variation)
            .or_default()
            .push(data.to_owned());
        if json["type"] == "text-delta" {
            let text = self.texts.entry((variation, at.0)).or_default();
            text.push_str(json["delta"].as_str().unwrap());
        }
    }

    /// A variation is not shown as ended before all of its text was.
    fn take_state(&mut self, data: &str) {
        self.state = serde_json::from_str(data).unwrap();
        let variations = self.state["summary"]["variations"].as_array().unwrap();
        for (variation, is) in (0..).zip(variations) {
            let attempt = is["attempt"].as_u64().unwrap();
            let seen = self.text(variation, attempt).len() as u64;
            let digest = &is["digest"]["bytes"];
            if digest.is_u64() && digest != seen {
                let early = format!("variation {variation} ended after {seen} of {digest} bytes");
                self.faults.push(early);
            }
        }
    }
}

impl Line {
    async fn event(&mut self) -> Option<Event> {
        let mut event = Event::default();
        let mut any = false;
        loop {
            let mut line = String::new();
            match self.0.read_line(&mut line).await {
                Ok(1..) if line.ends_with('\n') => {}
                _ => return None,
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() && any {
                return Some(event);
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut event.name),
                "id" => event.id = Some(value.to_owned()),
                "data" => event.data.push_str(value),
                _ => continue,
            }
            any = true;
        }
    }
}
