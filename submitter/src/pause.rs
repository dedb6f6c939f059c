//! Waiting between tries while NATS is away or full.

use std::time::Duration;

use tokio::time::sleep;

use crate::error::Error;

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// Doubles from 50 ms to 2 s, until it is reset.
#[derive(Debug)]
pub(crate) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl Pause {
    /// Waits after an error; what is not known to pass by itself is worth a person's look.
    pub(crate) async fn after(&mut self, doing: &'static str, error: &Error) {
        let source = std::error::Error::source(error).map(ToString::to_string);
        if !error.is_transient() {
            tracing::error!(%error, source, doing, "it is tried again");
        } else if self.0 == LONGEST {
            tracing::warn!(%error, source, doing, "waiting for NATS");
        } else {
            tracing::debug!(%error, source, doing, "waiting for NATS");
        }
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST);
    }

    pub(crate) fn reset(&mut self) {
        self.0 = SHORTEST;
    }
}
