//! Messages of what waits: numbered, named and fenced.

use aideator_contract::report::ReportMessage;
use aideator_contract::{OutMessage, Startup, Subject, VERSION};
use bytes::Bytes;

use super::Speaker;
use super::protocol::Outgoing;
use super::queue::{Entry, Item};

/// A message, and what its being stored means.
#[derive(Debug, Clone)]
pub(super) struct Composed {
    pub(super) message: Outgoing,
    /// Its place on `.out`; `None` for a report.
    pub(super) n: Option<u64>,
    /// How many pushes are settled with it.
    pub(super) pushes: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Composer {
    speaker: Speaker,
    fence: u64,
    next_n: u64,
    next_report: u64,
    out_bytes: u64,
    /// What was reported of the beginning.
    startup: Startup,
}

impl Composer {
    pub(super) fn new(speaker: Speaker, fence: u64) -> Self {
        Self {
            speaker,
            fence,
            next_n: 0,
            next_report: 0,
            out_bytes: 0,
            startup: Startup::default(),
        }
    }

    pub(super) fn speaker(&self) -> &Speaker {
        &self.speaker
    }

    pub(super) fn fence(&self) -> u64 {
        self.fence
    }

    /// The place of the next message on `.out`.
    pub(super) fn next_n(&self) -> u64 {
        self.next_n
    }

    /// Bytes of all messages for `.out` so far.
    pub(super) fn out_bytes(&self) -> u64 {
        self.out_bytes
    }

    /// The next message. Before the attempt is `claimed` it expects that nobody wrote anything
    /// since the attempt was opened, afterwards that it is still open.
    pub(super) fn compose(&mut self, entry: Entry, claimed: bool) -> Composed {
        let Speaker {
            run,
            variation,
            attempt,
            process,
        } = self.speaker.clone();
        let filter = if claimed {
            Subject::attempt(&run, variation)
        } else {
            Subject::variation_all(&run, variation)
        };
        let name = format!("{run}.{variation}.{attempt}.{process}");
        let ts = entry.ts;
        let (subject, msg_id, n, payload) = match entry.item {
            Item::Out(event) => {
                let n = self.next_n;
                self.next_n += 1;
                let subject = Subject::out(&run, variation);
                let json = json(&OutMessage::new(run, variation, attempt, n, ts, event));
                self.out_bytes += json.len() as u64;
                (subject, format!("{name}.{n}"), Some(n), json)
            }
            Item::Report(report) => {
                self.startup.reported(&report, ts);
                let count = self.next_report;
                self.next_report += 1;
                let subject = Subject::report(&run, variation);
                let message = ReportMessage {
                    v: VERSION,
                    run,
                    variation,
                    attempt,
                    ts,
                    startup: self.startup,
                    report,
                };
                (subject, format!("{name}.r{count}"), None, json(&message))
            }
        };
        let message = Outgoing {
            subject,
            payload,
            msg_id,
            filter,
            sequence: self.fence,
        };
        Composed {
            message,
            n,
            pushes: entry.pushes,
        }
    }
}

fn json(message: &impl serde::Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(message).expect("the contract's messages have text keys"))
}
