//! A launcher in memory that remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::Mutex;

use aideator_contract::local::AttemptName;
use aideator_contract::{AttemptSpec, Reason};
use aideator_submitter::{LaunchError, Launcher, Order, Pressure};

#[derive(Debug, Default)]
pub(crate) struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    launched: BTreeMap<String, (usize, AttemptSpec)>,
    stopped: Vec<(String, Pressure)>,
    held: Option<Reason>,
    never: Option<Reason>,
}

impl Memory {
    /// The names of what was launched.
    pub(crate) fn launched(&self) -> Vec<String> {
        self.inner
            .lock()
            .unwrap()
            .launched
            .keys()
            .cloned()
            .collect()
    }

    pub(crate) fn spec(&self, name: &str) -> Option<AttemptSpec> {
        let inner = self.inner.lock().unwrap();
        inner.launched.get(name).map(|(_, spec)| spec.clone())
    }

    pub(crate) fn stopped(&self) -> Vec<(String, Pressure)> {
        self.inner.lock().unwrap().stopped.clone()
    }

    pub(crate) fn hold(&self, reason: Option<Reason>) {
        self.inner.lock().unwrap().held = reason;
    }

    pub(crate) fn refuse(&self, reason: Option<Reason>) {
        self.inner.lock().unwrap().never = reason;
    }
}

impl Launcher for Memory {
    async fn launch(&self, order: Order) -> Result<(), LaunchError> {
        let mut inner = self.inner.lock().unwrap();
        if let Some(reason) = &inner.held {
            return Err(LaunchError::Held(reason.clone()));
        }
        if let Some(reason) = &inner.never {
            return Err(LaunchError::Never(reason.clone()));
        }
        let launched = inner.launched.entry(order.name.to_string());
        launched.or_insert((0, order.spec)).0 += 1;
        Ok(())
    }

    async fn stop(&self, name: &AttemptName, pressure: Pressure) {
        let mut inner = self.inner.lock().unwrap();
        inner.stopped.push((name.to_string(), pressure));
    }
}
