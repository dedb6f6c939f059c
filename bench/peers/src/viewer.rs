//! One viewer: the bytes of its socket in, counts and delays out. It knows no socket and no clock.

use std::time::Duration;

use crate::response::Response;
use crate::sse::{Event, Events};
use crate::stamp::Stamp;
use crate::tally::Tally;

/// What a viewer asks for, and how it knows that it has been let in.
#[derive(Debug, Clone)]
pub enum Watch {
    /// A run's event stream; what comes from now on is live once this event was shown.
    From(&'static str),
    /// A run's event stream; what comes from now on is live once it is answered.
    Answered,
    /// Lines as NATS sends them, of any run.
    Nats,
}

/// What a viewer has read.
#[derive(Debug)]
pub struct Viewer {
    watch: Watch,
    response: Response,
    events: Events,
    /// Whether what comes from now on is live.
    pub ready: bool,
    /// What it has been shown of its run.
    pub tally: Tally,
    /// Messages shown.
    pub shown: u64,
}

impl Viewer {
    pub fn new(watch: Watch) -> Self {
        let nats = matches!(watch, Watch::Nats);
        Self {
            watch,
            response: Response::default(),
            events: if nats {
                Events::lines()
            } else {
                Events::server_sent()
            },
            ready: nats,
            tally: Tally::default(),
            shown: 0,
        }
    }

    /// Whether it listens to NATS itself.
    pub fn is_bare(&self) -> bool {
        matches!(self.watch, Watch::Nats)
    }

    /// Takes bytes that were read `at` after the measurement began; adds the delays of what they show.
    ///
    /// # Errors
    /// The answer is not an event stream.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        at: Duration,
        delays: &mut Vec<u32>,
    ) -> anyhow::Result<()> {
        let Self {
            watch,
            response,
            events,
            ready,
            tally,
            shown,
        } = self;
        let mut take = |stamp: Stamp| {
            tally.shown(stamp.n);
            *shown += 1;
            if let Some(due) = stamp.due {
                delays.push(micros(at.saturating_sub(due)));
            }
        };
        if let Watch::Nats = watch {
            events.feed(bytes, |line| {
                Stamp::find(line.lines()).for_each(&mut take);
            });
            return Ok(());
        }
        response.feed(bytes, |body| {
            events.feed(body, |event| {
                *ready = *ready || is(event, watch);
                for line in event.data() {
                    Stamp::find(line).for_each(&mut take);
                }
            });
        })?;
        *ready = *ready || (matches!(watch, Watch::Answered) && response.is_open());
        Ok(())
    }
}

fn is(event: Event<'_>, watch: &Watch) -> bool {
    matches!(watch, Watch::From(name) if event.is(name))
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn frame(n: u64, due: u64) -> String {
        let due = Some(at(due));
        format!("data: {{\"delta\":\"{}\"}}\n\n", Stamp { n, due }.text())
    }

    #[test]
    fn a_delay_is_from_when_a_message_was_due_to_when_its_last_byte_was_read() {
        let mut viewer = Viewer::new(Watch::From("caught-up"));
        let mut delays = Vec::new();
        let (first, second) = (frame(1, 10), frame(3, 20));
        let (half, rest) = second.split_at(20);
        let mut feed = |text: &str, ms| viewer.feed(text.as_bytes(), at(ms), &mut delays);
        feed("HTTP/1.1 200 OK\r\n\r\nevent: caught-up\ndata: {}\n\n", 1).unwrap();
        feed(&format!("{first}{half}"), 12).unwrap();
        feed(rest, 25).unwrap();
        assert_eq!(delays, [2_000, 5_000]);
        assert!(viewer.ready);
        assert_eq!((viewer.shown, viewer.tally.lost(3)), (2, 1));
    }

    #[test]
    fn a_viewer_is_let_in_when_its_server_says_so() {
        let ready = |watch, text: &str| {
            let mut viewer = Viewer::new(watch);
            viewer
                .feed(text.as_bytes(), at(0), &mut Vec::new())
                .unwrap();
            viewer.ready
        };
        let head = "HTTP/1.1 200 OK\r\n\r\n";
        assert!(ready(Watch::Answered, head));
        assert!(!ready(Watch::Answered, "HTTP/1.1 200 OK\r\n"));
        assert!(!ready(Watch::From("caught-up"), head));
        assert!(!ready(
            Watch::From("caught-up"),
            &format!("{head}data: 1\n\n")
        ));
    }

    #[test]
    fn lines_of_nats_are_read_as_they_are() {
        let mut viewer = Viewer::new(Watch::Nats);
        let mut delays = Vec::new();
        let due = Some(at(5));
        let text = format!(
            "HMSG a 1 10 20\r\nNATS/1.0\r\n\r\n{{\"delta\":\"{}\"}}\r\n",
            Stamp { n: 1, due }.text()
        );
        viewer.feed(text.as_bytes(), at(6), &mut delays).unwrap();
        assert_eq!(delays, [1_000]);
    }
}
