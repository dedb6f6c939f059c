//! The streams of AIdeator as they are declared, and making the server's so.
//!
//! A stream is created or updated, never deleted: what the server can't change is refused with words.

use std::time::Duration;

use aideator_contract::limits;
use aideator_contract::subject::{
    ARCHIVE_BUCKET, Command, DEAD_ALL, DEAD_STREAM, LIVE_ALL, OPEN_BUCKET, REQUESTS_STREAM,
    REVOKED_BUCKET, RUNS_ALL, RUNS_STREAM,
};
use serde_json::{Map, Value, json};

use crate::api::when_ready;
use crate::connect::Bus;
use crate::consume::nanos;
use crate::error::{Error, codes};

/// Below this a stream is not made smaller to fit a disk.
const LEAST_BYTES: i64 = 64 * 1024 * 1024;
const REQUESTS_BYTES: i64 = 1024 * 1024 * 1024;
const OPEN_BYTES: i64 = 64 * 1024 * 1024;
const REVOKED_BYTES: i64 = 64 * 1024 * 1024;
/// What JetStream can't change on a stream that exists.
const FIXED: [&str; 5] = [
    "storage",
    "retention",
    "max_consumers",
    "deny_delete",
    "deny_purge",
];

/// What of the declaration an installation may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// Copies of each stream: 1, or 3 in a cluster of servers.
    pub replicas: u8,
    /// How long message ids are remembered. Correctness does not depend on it.
    pub duplicate_window: Duration,
    /// Age of what is kept of runs.
    pub runs_age: Duration,
    /// Bytes kept of runs; less where the server has not that much to give.
    pub runs_bytes: i64,
    /// Age of archived runs.
    pub archive_age: Duration,
    /// Bytes of archived runs; less where the server has not that much to give.
    pub archive_bytes: i64,
}

impl Default for Declared {
    fn default() -> Self {
        Self {
            replicas: 1,
            duplicate_window: limits::DUPLICATE_WINDOW,
            runs_age: limits::RUNS_AGE,
            runs_bytes: limits::RUNS_BYTES,
            archive_age: limits::ARCHIVE_AGE,
            archive_bytes: limits::ARCHIVE_BYTES,
        }
    }
}

impl Declared {
    fn streams(&self) -> [Value; 6] {
        let window = nanos(self.duplicate_window);
        [
            json!({
                "name": REQUESTS_STREAM,
                "description": "Commands to AIdeator",
                "subjects": Command::ALL.map(|command| command.subject().to_string()),
                "retention": "workqueue",
                "storage": "file",
                "discard": "new",
                "max_bytes": REQUESTS_BYTES,
                "allow_direct": true,
                "duplicate_window": window,
                "num_replicas": self.replicas,
            }),
            json!({
                "name": DEAD_STREAM,
                "description": "Requests AIdeator refused, with the reason",
                "subjects": [DEAD_ALL],
                "retention": "limits",
                "storage": "file",
                "compression": "s2",
                "discard": "old",
                "max_age": nanos(limits::DEAD_AGE),
                "max_bytes": limits::DEAD_BYTES,
                "allow_direct": true,
                "duplicate_window": window,
                "num_replicas": self.replicas,
            }),
            // As `nats object` expects a bucket to be.
            json!({
                "name": format!("OBJ_{ARCHIVE_BUCKET}"),
                "description": "Finished runs",
                "subjects": [format!("$O.{ARCHIVE_BUCKET}.C.>"), format!("$O.{ARCHIVE_BUCKET}.M.>")],
                "retention": "limits",
                "storage": "file",
                "discard": "new",
                "max_age": nanos(self.archive_age),
                "max_bytes": self.archive_bytes,
                "allow_rollup_hdrs": true,
                "allow_direct": true,
                "num_replicas": self.replicas,
            }),
            // As `nats kv` expects a bucket to be.
            json!({
                "name": format!("KV_{OPEN_BUCKET}"),
                "description": "Runs that are not finished",
                "subjects": [format!("$KV.{OPEN_BUCKET}.>")],
                "retention": "limits",
                "storage": "file",
                "discard": "new",
                "max_msgs_per_subject": 1,
                "max_bytes": OPEN_BYTES,
                "allow_rollup_hdrs": true,
                "deny_delete": true,
                "allow_direct": true,
                "num_replicas": self.replicas,
            }),
            json!({
                "name": format!("KV_{REVOKED_BUCKET}"),
                "description": "Tokens that are refused before they expire",
                "subjects": [format!("$KV.{REVOKED_BUCKET}.>")],
                "retention": "limits",
                "storage": "file",
                "discard": "new",
                "max_msgs_per_subject": 1,
                "max_bytes": REVOKED_BYTES,
                // Each entry goes with its token's own expiry.
                "allow_msg_ttl": true,
                "allow_rollup_hdrs": true,
                "deny_delete": true,
                "allow_direct": true,
                "num_replicas": self.replicas,
            }),
            // The last: where there is not enough for all, it takes what is left.
            json!({
                "name": RUNS_STREAM,
                "description": "Everything runs say and do",
                "subjects": [RUNS_ALL],
                "retention": "limits",
                "storage": "file",
                "compression": "s2",
                "discard": "new",
                "max_age": nanos(self.runs_age),
                "max_bytes": self.runs_bytes,
                "max_consumers": limits::RUNS_CONSUMERS,
                "allow_direct": true,
                "republish": { "src": RUNS_ALL, "dest": LIVE_ALL },
                "duplicate_window": window,
                "num_replicas": self.replicas,
            }),
        ]
    }
}

impl Bus {
    /// Makes the server's streams what is declared: creates what is missing, updates what differs.
    /// Several services may do so at once. JetStream is waited for, 15 seconds a stream.
    ///
    /// # Errors
    /// [`Error::StreamDiffers`] where the server can't change what differs; no answer; no permission.
    pub async fn ensure(&self, declared: &Declared) -> Result<(), Error> {
        for wanted in declared.streams() {
            self.ensure_stream(wanted).await?;
        }
        Ok(())
    }

    pub(crate) async fn ensure_stream(&self, wanted: Value) -> Result<(), Error> {
        when_ready(|| self.try_ensure_stream(wanted.clone())).await
    }

    async fn try_ensure_stream(&self, mut wanted: Value) -> Result<(), Error> {
        let name = wanted["name"].as_str().unwrap_or_default().to_owned();
        loop {
            let tried = match self.stream_config(&name).await? {
                None => {
                    self.api::<Value>(&format!("STREAM.CREATE.{name}"), &wanted)
                        .await
                }
                Some(found) => {
                    let differences = differences(&wanted, &found);
                    if differences.is_empty() {
                        return Ok(());
                    }
                    match self
                        .api(&format!("STREAM.UPDATE.{name}"), &updated(&found, &wanted))
                        .await
                    {
                        Err(error @ Error::Server { .. })
                            if !is_storage(&error) && !error.is_transient() =>
                        {
                            return Err(refused(&name, &differences, &error));
                        }
                        tried => tried,
                    }
                }
            };
            match tried {
                Ok(_) => return Ok(()),
                // Less than declared is better than none: half of it, and half again.
                Err(error) if is_storage(&error) => {
                    let bytes = wanted["max_bytes"].as_i64().unwrap_or(0) / 2;
                    if bytes < LEAST_BYTES {
                        return Err(error);
                    }
                    tracing::info!(stream = %name, bytes, "the server has less storage than declared");
                    wanted["max_bytes"] = bytes.into();
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn stream_config(&self, name: &str) -> Result<Option<Value>, Error> {
        match self
            .api::<Value>(&format!("STREAM.INFO.{name}"), &Value::Null)
            .await
        {
            Ok(mut info) => Ok(Some(info["config"].take())),
            Err(Error::Server {
                code: codes::STREAM_NOT_FOUND,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether the server has not that much room. A cluster says so as the reason for which none of its
/// servers is suitable.
fn is_storage(error: &Error) -> bool {
    let Error::Server { code, text, .. } = error else {
        return false;
    };
    match *code {
        codes::STORAGE_EXCEEDED | codes::INSUFFICIENT_RESOURCES => true,
        codes::NO_SUITABLE_PEERS => text.contains("insufficient storage"),
        _ => false,
    }
}

/// A property in which the server's stream is not as declared.
#[derive(Debug, PartialEq)]
struct Difference {
    field: String,
    wanted: Value,
    found: Value,
}

/// Compares what is declared; what is not declared may be anything.
fn differences(wanted: &Value, found: &Value) -> Vec<Difference> {
    let declared = wanted.as_object().into_iter().flatten();
    declared
        .filter(|(field, value)| !covers(&found[field.as_str()], value))
        .map(|(field, value)| Difference {
            field: field.clone(),
            wanted: value.clone(),
            found: found[field.as_str()].clone(),
        })
        .collect()
}

/// Whether `found` is `wanted`, where an object may have more fields.
fn covers(found: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(fields) => fields
            .iter()
            .all(|(field, value)| covers(&found[field.as_str()], value)),
        _ => found == wanted,
    }
}

fn updated(found: &Value, wanted: &Value) -> Value {
    let mut config: Map<String, Value> = found.as_object().cloned().unwrap_or_default();
    config.extend(wanted.as_object().cloned().unwrap_or_default());
    Value::Object(config)
}

fn refused(stream: &str, differences: &[Difference], error: &Error) -> Error {
    let text = match error {
        Error::Server { text, .. } => text.clone(),
        other => other.to_string(),
    };
    let fixed = differences
        .iter()
        .find(|difference| FIXED.contains(&difference.field.as_str()));
    match fixed.or(differences.first()) {
        Some(difference) => Error::StreamDiffers {
            stream: stream.to_owned(),
            field: difference.field.clone(),
            wanted: difference.wanted.to_string(),
            found: difference.found.to_string(),
            text,
        },
        None => Error::Server {
            doing: format!("updating {stream}"),
            code: 0,
            text,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_declared_is_compared() {
        let wanted = json!({ "name": "A", "republish": { "src": "a", "dest": "b" }, "max_age": 5 });
        let found = json!({ "name": "A", "republish": { "src": "a", "dest": "b", "headers_only": false },
                            "max_age": 5, "metadata": {} });
        assert!(differences(&wanted, &found).is_empty());
        let other = json!({ "name": "A", "republish": { "src": "a", "dest": "c" }, "max_age": 5 });
        assert_eq!(differences(&wanted, &other)[0].field, "republish");
    }

    #[test]
    fn too_little_storage_is_understood_of_a_single_server_and_of_a_cluster() {
        let says = |code, text: &str| Error::Server {
            doing: "STREAM.CREATE.A".to_owned(),
            code,
            text: text.to_owned(),
        };
        assert!(is_storage(&says(
            10047,
            "insufficient storage resources available"
        )));
        let no_peers = "no suitable peers for placement";
        assert!(is_storage(&says(
            10005,
            &format!("{no_peers}, insufficient storage")
        )));
        assert!(!is_storage(&says(10005, no_peers)));
    }

    #[test]
    fn an_update_keeps_what_is_not_declared() {
        let found = json!({ "name": "A", "max_age": 1, "placement": { "cluster": "x" } });
        let wanted = json!({ "name": "A", "max_age": 2 });
        assert_eq!(
            updated(&found, &wanted),
            json!({ "name": "A", "max_age": 2, "placement": { "cluster": "x" } })
        );
    }

    #[test]
    fn the_property_that_is_fixed_is_named() {
        let differing = |field: &str| Difference {
            field: field.to_owned(),
            wanted: json!("file"),
            found: json!("memory"),
        };
        let error = Error::Server {
            doing: String::new(),
            code: 10052,
            text: "no".to_owned(),
        };
        let told = refused("A", &[differing("max_age"), differing("storage")], &error);
        assert!(matches!(told, Error::StreamDiffers { field, .. } if field == "storage"));
    }
}
