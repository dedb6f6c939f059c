//! A voice without NATS: what the model says on standard output, all else as lines of the log.

use std::io::{self, Write as _};

use aideator_contract::{Digest, Event, Report};
use sha2::{Digest as _, Sha256};

use super::super::hex;

/// What was printed.
#[derive(Default)]
pub(super) struct Printed {
    text: Sha256,
    bytes: u64,
    events: u64,
}

impl Printed {
    pub(super) fn event(&mut self, event: &Event) -> io::Result<()> {
        self.events += 1;
        match event {
            Event::TextDelta { delta, .. } => {
                self.text.update(delta);
                self.bytes += delta.len() as u64;
                let mut out = io::stdout().lock();
                out.write_all(delta.as_bytes())?;
                out.flush()
            }
            Event::ReasoningDelta { .. } => Ok(()),
            Event::TextEnd { .. } => writeln!(io::stdout().lock()),
            event => {
                let event = serde_json::to_string(event).unwrap_or_default();
                tracing::info!(%event, "event");
                Ok(())
            }
        }
    }

    pub(super) fn report(report: &Report) {
        let report = serde_json::to_string(report).unwrap_or_default();
        tracing::info!(%report, "report");
    }

    pub(super) fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn digest(&self) -> Digest {
        Digest {
            sha256: hex(&self.text.clone().finalize()),
            bytes: self.bytes,
        }
    }
}
