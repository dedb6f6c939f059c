//! Where archives are kept: a bucket of objects, each named by its run.

use aideator_contract::subject::{ARCHIVE_BUCKET, RUNS_STREAM};
use aideator_contract::{RunId, Subject};
use serde_json::{Value, json};

use super::{Archive, Damaged, Reach};
use crate::append::AppendError;
use crate::connect::Bus;
use crate::error::Error;
use crate::object::{ObjectInfo, Objects};
use crate::stored::Stored;

/// The bucket of archived runs.
#[derive(Debug, Clone)]
pub struct Archives(Objects);

impl Bus {
    /// The bucket of archived runs.
    #[must_use]
    pub fn archives(&self) -> Archives {
        Archives(self.objects(ARCHIVE_BUCKET))
    }

    /// Removes what is stored of a run in the stream of runs, up to sequence `last` (inclusive); says
    /// how many messages that were. What is archived is removed so.
    ///
    /// # Errors
    /// No answer: it may be removed or not.
    pub async fn purge_run(&self, run: &RunId, last: u64) -> Result<u64, Error> {
        let what = format!("STREAM.PURGE.{RUNS_STREAM}");
        let which = json!({ "filter": Subject::run_all(run).as_str(), "seq": last + 1 });
        let purged: Value = self.api(&what, &which).await?;
        Ok(purged["purged"].as_u64().unwrap_or(0))
    }
}

impl Archives {
    /// Keeps an archive; an older one of the run is replaced once all of it is stored.
    ///
    /// # Errors
    /// As of an append; the older one then still stands.
    pub async fn put(&self, run: &RunId, archive: &Archive) -> Result<(), AppendError> {
        self.0
            .put(run.as_str(), archive.metadata(), archive.content())
            .await
            .map(|_| ())
    }

    /// How far a run is archived, if it is; from any replica.
    ///
    /// # Errors
    /// No answer, or it is none of ours.
    pub async fn reach(&self, run: &RunId) -> Result<Option<Reach>, Error> {
        let info = self.0.info(run.as_str()).await?;
        info.map(|info| reach(&info)).transpose()
    }

    /// An archived run, if it is there.
    ///
    /// # Errors
    /// No answer, or it is none of ours, or damaged.
    pub async fn get(&self, run: &RunId) -> Result<Option<Archive>, Error> {
        let Some((info, content)) = self.0.get(run.as_str()).await? else {
            return Ok(None);
        };
        let archive = Archive::open(&info.metadata, content)?;
        if archive.is_of(run) {
            Ok(Some(archive))
        } else {
            Err(Damaged(format!("it is not of {run}")).into())
        }
    }

    /// All messages of a subject of a run, as far as the run is archived.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    pub async fn messages(&self, run: &RunId, subject: &Subject) -> Result<Vec<Stored>, Error> {
        let Some(archive) = self.get(run).await? else {
            return Ok(Vec::new());
        };
        Ok(archive.all(subject.as_str())?)
    }

    /// All archived runs, and how far each is.
    ///
    /// # Errors
    /// No answer.
    pub async fn all(&self) -> Result<Vec<(RunId, Reach)>, Error> {
        let infos = self.0.list().await?;
        let ours = |info: ObjectInfo| Some((info.name.parse().ok()?, reach(&info).ok()?));
        Ok(infos.into_iter().filter_map(ours).collect())
    }
}

fn reach(info: &ObjectInfo) -> Result<Reach, Error> {
    Ok(Reach::read(&info.metadata)?)
}
