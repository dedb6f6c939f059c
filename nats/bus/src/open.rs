//! The runs that are not finished: one key each in a key-value bucket.

use aideator_contract::RunId;
use aideator_contract::subject::OPEN_BUCKET;
use bytes::Bytes;
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use crate::append::{Append, AppendError, Appended};
use crate::connect::Bus;
use crate::error::Error;

/// Tries of a listing that a lagging replica answered short.
const LISTINGS: u32 = 20;

/// The bucket of open runs.
#[derive(Debug, Clone)]
pub struct OpenRuns(Bus);

impl Bus {
    /// The bucket of open runs.
    #[must_use]
    pub fn open_runs(&self) -> OpenRuns {
        OpenRuns(self.clone())
    }
}

fn stream() -> String {
    format!("KV_{OPEN_BUCKET}")
}

fn key(run: &RunId) -> String {
    format!("$KV.{OPEN_BUCKET}.{run}")
}

impl OpenRuns {
    /// Marks a run as open, once more if it is; returns the key's revision.
    ///
    /// # Errors
    /// As of an append.
    pub async fn put(&self, run: &RunId) -> Result<u64, AppendError> {
        let Appended { sequence, .. } = self
            .0
            .append_to(&key(run), Bytes::new(), Append::default())
            .await?;
        Ok(sequence)
    }

    /// The revision of a run's key, if it is open; from any replica.
    ///
    /// # Errors
    /// No answer.
    pub async fn get(&self, run: &RunId) -> Result<Option<u64>, Error> {
        Ok(self
            .0
            .last_in(&stream(), &key(run))
            .await?
            .map(|stored| stored.sequence))
    }

    /// All open runs with their keys' revisions, in the order they were put.
    ///
    /// # Errors
    /// No answer.
    pub async fn entries(&self) -> Result<Vec<(RunId, u64)>, Error> {
        let (stream, all) = (stream(), format!("$KV.{OPEN_BUCKET}.>"));
        let mut tries = 0;
        loop {
            let expected = self.0.stream_state(&stream).await?.messages;
            let stored: Vec<_> = self.0.scan(&stream, &all, 1, None).try_collect().await?;
            tries += 1;
            // Direct Get may be answered by a replica that lags; the leader says how many there are.
            if stored.len() as u64 >= expected || tries == LISTINGS {
                let named = |stored: crate::stored::Stored| {
                    let run = stored.subject.rsplit('.').next()?.parse().ok()?;
                    Some((run, stored.sequence))
                };
                return Ok(stored.into_iter().filter_map(named).collect());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Removes a run's key if it still has this revision; says whether it did. Leaves no tombstone.
    ///
    /// # Errors
    /// No answer: it may be removed or not.
    pub async fn delete(&self, run: &RunId, revision: u64) -> Result<bool, Error> {
        let what = format!("STREAM.PURGE.{}", stream());
        // Everything below `seq`: the key keeps one message, so a newer revision stays.
        let purged: Value = self
            .0
            .api(&what, &json!({ "filter": key(run), "seq": revision + 1 }))
            .await?;
        Ok(purged["purged"].as_u64().unwrap_or(0) > 0)
    }
}
