//! One request to JetStream's JSON API.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::connect::Bus;
use crate::error::Error;

/// How long JetStream may take to answer about its own things.
pub(crate) const API_TIMEOUT: Duration = Duration::from_secs(5);

/// How long JetStream may not be ready (a server or cluster that just started).
const READY: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(100);

/// Asks again while the answer is that JetStream is not ready, for 15 seconds at most.
pub(crate) async fn when_ready<T, F>(ask: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let deadline = Instant::now() + READY;
    loop {
        match ask().await {
            Err(error) if error.is_transient() && Instant::now() < deadline => sleep(PAUSE).await,
            ended => return ended,
        }
    }
}

impl Bus {
    /// Asks `$JS.API.<what>` with `body` (`Value::Null`: nothing) and reads the answer as `T`.
    pub(crate) async fn api<T: DeserializeOwned>(
        &self,
        what: &str,
        body: &Value,
    ) -> Result<T, Error> {
        let subject = format!("$JS.API.{what}");
        let payload = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        };
        let message = self
            .exchange(&subject, None, payload, API_TIMEOUT)
            .await
            .map_err(|lost| lost.while_doing(self, what, &subject))?;
        let mut answer: Value = serde_json::from_slice(&message.payload)
            .map_err(|error| Error::malformed(what, error))?;
        if let Some(error) = answer.get_mut("error").map(Value::take) {
            return Err(Error::Server {
                doing: what.to_owned(),
                code: error["err_code"]
                    .as_u64()
                    .and_then(|code| u16::try_from(code).ok())
                    .unwrap_or(0),
                text: error["description"]
                    .as_str()
                    .unwrap_or("no reason given")
                    .to_owned(),
            });
        }
        serde_json::from_value(answer).map_err(|error| Error::malformed(what, error))
    }
}
