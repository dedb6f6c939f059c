//! How the brain speaks: events in order through the publisher, none lost when the work is dropped
//! while it waits for room; or, without NATS, to standard output.

mod printed;

use std::collections::VecDeque;

use aideator_bus::Bus;
use aideator_bus::publisher::{Opened, Publisher, Speaker};
use aideator_contract::{Digest, Event, Report};

use self::printed::Printed;
use crate::Error;

/// The voice of one attempt.
pub(super) struct Voice {
    way: Way,
    /// Said, and not taken yet.
    waiting: VecDeque<Event>,
}

/// Where what is said goes.
enum Way {
    /// To the subjects of an attempt that this process has claimed.
    Published(Publisher),
    /// To standard output.
    Printed(Printed),
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
            way: Way::Published(publisher),
            waiting: VecDeque::new(),
        })
    }

    /// A voice that prints.
    pub(super) fn printed() -> Self {
        Self {
            way: Way::Printed(Printed::default()),
            waiting: VecDeque::new(),
        }
    }

    /// Says events. Waits while too much is queued; dropped meanwhile, the rest is said with the next.
    ///
    /// # Errors
    /// Nothing more can be published.
    pub(super) async fn say(&mut self, events: Vec<Event>) -> Result<(), Error> {
        self.waiting.extend(events);
        while let Some(event) = self.waiting.front() {
            match &mut self.way {
                Way::Published(publisher) => publisher.push(event.clone()).await?,
                Way::Printed(printed) => printed.event(event).map_err(Error::Printing)?,
            }
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Reports to the watcher, after all that was said before.
    ///
    /// # Errors
    /// Nothing more can be published.
    pub(super) fn report(&self, report: Report) -> Result<(), Error> {
        match &self.way {
            Way::Published(publisher) => Ok(publisher.report(report)?),
            Way::Printed(_) => {
                Printed::report(&report);
                Ok(())
            }
        }
    }

    /// Waits until everything is stored.
    ///
    /// # Errors
    /// Nothing more can be published.
    pub(super) async fn flush(&self) -> Result<(), Error> {
        match &self.way {
            Way::Published(publisher) => Ok(publisher.flush().await?),
            Way::Printed(_) => Ok(()),
        }
    }

    /// The highest `n` that is stored.
    pub(super) fn stored_n(&self) -> u64 {
        match &self.way {
            Way::Published(publisher) => publisher.stored_n(),
            Way::Printed(printed) => printed.events(),
        }
    }

    /// Bytes stored so far.
    pub(super) fn stored_bytes(&self) -> u64 {
        match &self.way {
            Way::Published(publisher) => publisher.out_bytes(),
            Way::Printed(printed) => printed.bytes(),
        }
    }

    /// What proves the text said so far.
    pub(super) fn digest(&self) -> Digest {
        match &self.way {
            Way::Published(publisher) => publisher.digest(),
            Way::Printed(printed) => printed.digest(),
        }
    }
}
