//! How a stream stands.

use serde_json::Value;

use crate::connect::Bus;
use crate::error::Error;
use crate::time;

/// A stream as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamState {
    /// When the stream was created, in milliseconds since the Unix epoch. Sequences mean nothing
    /// in a stream of another epoch.
    pub epoch: u64,
    /// The first sequence that is still there.
    pub first: u64,
    /// The last sequence given.
    pub last: u64,
    /// Messages held.
    pub messages: u64,
    /// Bytes held.
    pub bytes: u64,
    /// The most bytes it may hold; -1 for no bound of its own.
    pub max_bytes: i64,
}

impl Bus {
    /// What the leader says about a stream.
    ///
    /// # Errors
    /// No such stream, or no answer.
    pub async fn stream_state(&self, stream: &str) -> Result<StreamState, Error> {
        let what = format!("STREAM.INFO.{stream}");
        let info: Value = self.api(&what, &Value::Null).await?;
        let count = |name: &str| info["state"][name].as_u64().unwrap_or(0);
        Ok(StreamState {
            epoch: info["created"]
                .as_str()
                .and_then(time::millis)
                .ok_or_else(|| Error::malformed(&what, "no creation time"))?,
            first: count("first_seq"),
            last: count("last_seq"),
            messages: count("messages"),
            bytes: count("bytes"),
            max_bytes: info["config"]["max_bytes"].as_i64().unwrap_or(-1),
        })
    }
}
