//! How the brain speaks: events in order through the publisher, none lost when the work is dropped
//! while it waits for room.

use std::collections::VecDeque;

use aideator_bus::Bus;
use aideator_bus::publisher::{Opened, Publisher, Speaker};
use aideator_contract::{Digest, Event, Report};

use crate::Error;

/// The voice of one attempt that this process has claimed.
pub(super) struct Voice {
    publisher: Publisher,
    /// Said, and not taken by the publisher yet.
    waiting: VecDeque<Event>,
}

impl Voice {
    /// Claims the attempt with `start`.
    ///
    /// # Errors
    /// It is another process's, or over.
    pub(super) async fn claim(bus: &Bus, opened: &Opened) -> Result<Self, Error> {
        let spec = &opened.spec;
        let speaker = Speaker::new(spec.run.clone(), spec.variation, spec.attempt);
        let model = spec.variation_spec.model.clone();
        let publisher = Publisher::start(bus.clone(), speaker, opened.fence, model).await?;
        Ok(Self {
            publisher,
            waiting: VecDeque::new(),
        })
    }

    /// Says events. Waits while too much is queued; dropped meanwhile, the rest is said with the next.
    ///
    /// # Errors
    /// Nothing more can be published.
    pub(super) async fn say(&mut self, events: Vec<Event>) -> Result<(), Error> {
        self.waiting.extend(events);
        while let Some(event) = self.waiting.front() {
            self.publisher.push(event.clone()).await?;
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Reports to the watcher, after all that was said before.
    ///
    /// # Errors
    /// Nothing more can be published.
    pub(super) fn report(&self, report: Report) -> Result<(), Error> {
        Ok(self.publisher.report(report)?)
    }

    /// Waits until everything is stored.
    ///
    /// # Errors
    /// Nothing more can be published.
    pub(super) async fn flush(&self) -> Result<(), Error> {
        Ok(self.publisher.flush().await?)
    }

    /// The highest `n` that is stored.
    pub(super) fn stored_n(&self) -> u64 {
        self.publisher.stored_n()
    }

    /// Bytes stored so far.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.publisher.out_bytes()
    }

    /// What proves the text said so far.
    pub(super) fn digest(&self) -> Digest {
        self.publisher.digest()
    }
}
