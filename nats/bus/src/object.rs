//! One named object in an object-store bucket: written in chunks, read by batched Direct Get.
//!
//! The layout is NATS's own (`nats object` reads it); the client's reader is not used, because it
//! would create a consumer for every read.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::append::{Append, AppendError};
use crate::connect::Bus;
use crate::error::Error;
use crate::stored::Stored;

const CHUNK: usize = 128 * 1024;
/// Reads of an object that is being replaced meanwhile.
const READS: u32 = 5;

/// A bucket of objects.
#[derive(Debug, Clone)]
pub struct Objects {
    bus: Bus,
    bucket: String,
}

/// An object's metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectInfo {
    /// Its name.
    pub name: String,
    bucket: String,
    nuid: String,
    /// Bytes.
    pub size: u64,
    chunks: u64,
    #[serde(default)]
    digest: String,
    /// What its writer said about it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    #[serde(default)]
    options: Value,
}

impl Bus {
    /// A bucket. It is there once its stream is declared.
    #[must_use]
    pub fn objects(&self, bucket: &str) -> Objects {
        Objects {
            bus: self.clone(),
            bucket: bucket.to_owned(),
        }
    }
}

impl Objects {
    /// Writes an object; one of the same name is replaced once all of the new one is stored.
    ///
    /// # Errors
    /// As of an append; the old object then still stands.
    pub async fn put(
        &self,
        name: &str,
        metadata: BTreeMap<String, String>,
        content: Bytes,
    ) -> Result<ObjectInfo, AppendError> {
        let before = self.info(name).await.ok().flatten();
        let info = ObjectInfo {
            name: name.to_owned(),
            bucket: self.bucket.clone(),
            nuid: new_nuid(),
            size: content.len() as u64,
            chunks: content.len().div_ceil(CHUNK) as u64,
            digest: digest(&Sha256::digest(&content)),
            metadata,
            deleted: false,
            options: json!({ "max_chunk_size": CHUNK }),
        };
        let subject = self.chunks(&info.nuid);
        for at in (0..content.len()).step_by(CHUNK) {
            let chunk = content.slice(at..content.len().min(at + CHUNK));
            self.bus
                .append_to(&subject, chunk, Append::default())
                .await?;
        }
        let body = serde_json::to_vec(&info).map_err(|error| AppendError::Other {
            code: 0,
            text: error.to_string(),
        })?;
        let replace = Append {
            headers: &[("Nats-Rollup", "sub")],
            ..Append::default()
        };
        self.bus
            .append_to(&self.meta(name), Bytes::from(body), replace)
            .await?;
        if let Some(before) = before {
            let purge = json!({ "filter": self.chunks(&before.nuid) });
            let what = format!("STREAM.PURGE.OBJ_{}", self.bucket);
            if let Err(error) = self.bus.api::<Value>(&what, &purge).await {
                tracing::warn!(bucket = %self.bucket, %error, "chunks of a replaced object stay until they age");
            }
        }
        Ok(info)
    }

    /// What is known about an object, if it is there; from any replica.
    ///
    /// # Errors
    /// No answer.
    pub async fn info(&self, name: &str) -> Result<Option<ObjectInfo>, Error> {
        let stream = format!("OBJ_{}", self.bucket);
        let Some(stored) = self.bus.last_in(&stream, &self.meta(name)).await? else {
            return Ok(None);
        };
        let info: ObjectInfo = serde_json::from_slice(&stored.payload)
            .map_err(|error| Error::malformed("reading an object's metadata", error))?;
        Ok((!info.deleted).then_some(info))
    }

    /// An object with its content, checked against its digest; read again if it was replaced meanwhile.
    ///
    /// # Errors
    /// No answer, or its chunks are gone while its metadata stays.
    pub async fn get(&self, name: &str) -> Result<Option<(ObjectInfo, Bytes)>, Error> {
        for _ in 0..READS {
            let Some(info) = self.info(name).await? else {
                return Ok(None);
            };
            if let Some(content) = self.content(&info).await? {
                return Ok(Some((info, content)));
            }
        }
        Err(Error::Torn {
            name: name.to_owned(),
        })
    }

    /// What is known about all objects, in the order they were stored.
    ///
    /// # Errors
    /// No answer.
    pub async fn list(&self) -> Result<Vec<ObjectInfo>, Error> {
        let (stream, all) = (
            format!("OBJ_{}", self.bucket),
            format!("$O.{}.M.>", self.bucket),
        );
        let stored: Vec<_> = self.bus.scan(&stream, &all, 1, None).try_collect().await?;
        let read = |stored: &Stored| serde_json::from_slice(&stored.payload).ok();
        let infos = stored.iter().filter_map(read);
        Ok(infos.filter(|info: &ObjectInfo| !info.deleted).collect())
    }

    async fn content(&self, info: &ObjectInfo) -> Result<Option<Bytes>, Error> {
        let stream = format!("OBJ_{}", self.bucket);
        let chunks: Vec<_> = self
            .bus
            .scan(&stream, &self.chunks(&info.nuid), 1, None)
            .try_collect()
            .await?;
        let content = match <[_; 1]>::try_from(chunks) {
            Ok([only]) => only.payload,
            Err(chunks) => {
                // What the metadata says of its size may be anything.
                let size = chunks.iter().map(|chunk| chunk.payload.len()).sum();
                let mut content = BytesMut::with_capacity(size);
                for chunk in &chunks {
                    content.extend_from_slice(&chunk.payload);
                }
                content.freeze()
            }
        };
        let whole =
            content.len() as u64 == info.size && digest(&Sha256::digest(&content)) == info.digest;
        Ok(whole.then_some(content))
    }

    fn chunks(&self, nuid: &str) -> String {
        format!("$O.{}.C.{nuid}", self.bucket)
    }

    fn meta(&self, name: &str) -> String {
        format!("$O.{}.M.{}", self.bucket, URL_SAFE.encode(name))
    }
}

fn digest(hash: &[u8]) -> String {
    format!("SHA-256={}", URL_SAFE.encode(hash))
}

fn new_nuid() -> String {
    use rand::Rng as _;
    rand::rng()
        .sample_iter(rand::distr::Alphanumeric)
        .take(22)
        .map(char::from)
        .collect()
}
