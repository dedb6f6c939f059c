//! Keeping the credentials' Secrets in order: a Secret that lost its owner gets it again, one whose
//! attempt is over goes, one whose pod still waits is renewed before it ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aideator_bus::Bus;
use aideator_bus::credentials::Minter;
use aideator_contract::cluster::{EXPIRES, LIFETIME, attempt_of};
use aideator_contract::local::AttemptName;
use aideator_contract::{AttemptRecord, Subject, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::{ClusterLauncher, gone, ours};
use crate::error::{Error, doing};
use crate::ledger::{now, parse};

const AGAIN: Duration = Duration::from_secs(20);
/// A credential that has lost so much of its life is renewed while its pod waits.
const RENEWED_AFTER_MS: u64 = 60_000;

/// The sweep of one installation's Secrets.
pub(crate) struct Sweep {
    pub(crate) launcher: Arc<ClusterLauncher>,
    pub(crate) bus: Bus,
    pub(crate) minter: Minter,
}

/// What is to be done about a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Nothing.
    Leave,
    /// It has no Job: it goes, unless its attempt is open and a launch is under way.
    DeleteIfClosed,
    /// It is to end with its Job.
    Own,
    /// Its pod has not begun: it needs a credential that still lives when it does.
    Renew {
        /// How long the new one lives, in milliseconds.
        lifetime: u64,
    },
}

/// Decides about a Secret: pure.
pub(super) fn care(secret: &PartialObjectMeta<Secret>, job: Option<&Job>, now: Timestamp) -> Care {
    let Some(job) = job else {
        return Care::DeleteIfClosed;
    };
    let uid = job.uid();
    let owned = |o: &k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference| {
        Some(&o.uid) == uid.as_ref()
    };
    if !secret.owner_references().iter().any(owned) {
        return Care::Own;
    }
    let number = |key: &str| secret.annotations().get(key)?.parse::<u64>().ok();
    let (Some(expires), Some(lifetime)) = (number(EXPIRES), number(LIFETIME)) else {
        return Care::Leave;
    };
    let left = Timestamp::from_millis(expires).since(now);
    if waits(job) && left.saturating_add(RENEWED_AFTER_MS) < lifetime {
        Care::Renew { lifetime }
    } else {
        Care::Leave
    }
}

/// No pod of it has begun, and none has ended.
fn waits(job: &Job) -> bool {
    let Some(status) = &job.status else {
        return true;
    };
    let counts = [status.ready, status.failed, status.succeeded];
    let over = status.conditions.iter().flatten();
    let mut over =
        over.filter(|c| c.status == "True" && (c.type_ == "Complete" || c.type_ == "Failed"));
    counts.iter().all(|count| count.unwrap_or(0) == 0) && over.next().is_none()
}

impl Sweep {
    /// Sweeps for ever.
    pub(crate) async fn run(self) {
        let mut rounds = interval(AGAIN);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "the credentials can't be looked after now");
            }
        }
    }

    async fn round(&self) -> Result<(), kube::Error> {
        let ClusterLauncher {
            site,
            secrets,
            jobs,
            ..
        } = &*self.launcher;
        // Secrets first: one whose Job is made in between must not look like one without a Job.
        let there = secrets.list_metadata(&ours(site)).await?;
        let jobs = jobs.list(&ours(site)).await?;
        let jobs: HashMap<String, &Job> = jobs.iter().map(|job| (job.name_any(), job)).collect();
        for secret in &there {
            let name = secret.name_any();
            let Some(attempt) = attempt_of(secret.labels()) else {
                continue;
            };
            let job = jobs.get(&name).copied();
            let cared = match (care(secret, job, now()), job) {
                (Care::Own, Some(job)) => self.launcher.own(&name, job).await,
                (Care::Renew { lifetime }, _) => self.renew(&name, &attempt, lifetime).await,
                (Care::DeleteIfClosed, _) => self.delete_if_closed(&name, &attempt).await,
                (Care::Leave | Care::Own, _) => Ok(()),
            };
            // It is tried again in the next round, and keeps no other back.
            if let Err(error) = gone(cared) {
                tracing::warn!(%attempt, %error, "a credential can't be looked after now");
            }
        }
        Ok(())
    }

    async fn renew(&self, name: &str, attempt: &AttemptName, life: u64) -> Result<(), kube::Error> {
        let AttemptName {
            run,
            variation,
            attempt: number,
        } = attempt;
        let expires = now().plus(life);
        let minted = self.minter.agent(run, *variation, *number, expires);
        let credentials = match minted {
            Ok(credentials) => credentials,
            Err(error) => {
                tracing::error!(%attempt, %error, "a credential can't be renewed");
                return Ok(());
            }
        };
        let renewed = json!({
            "metadata": {"annotations": {EXPIRES: expires.millis().to_string()}},
            "stringData": {aideator_contract::cluster::CREDENTIALS_KEY: credentials.to_text()},
        });
        let params = PatchParams::default();
        let secrets = &self.launcher.secrets;
        secrets.patch(name, &params, &Patch::Merge(renewed)).await?;
        tracing::info!(%attempt, "the credential of an attempt that waits is renewed");
        Ok(())
    }

    async fn delete_if_closed(&self, name: &str, attempt: &AttemptName) -> Result<(), kube::Error> {
        match self.is_open(attempt).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let secrets = &self.launcher.secrets;
                let deleted = secrets.delete(name, &DeleteParams::default()).await;
                gone(deleted.map(|_| ()))
            }
            Err(error) => {
                tracing::warn!(%attempt, %error, "whether an attempt is open can't be read now");
                Ok(())
            }
        }
    }

    async fn is_open(&self, attempt: &AttemptName) -> Result<bool, Error> {
        let subject = Subject::attempt(&attempt.run, attempt.variation);
        let last = self.bus.last_from_leader(&subject).await;
        let Some(stored) = last.map_err(doing("read an attempt"))? else {
            return Ok(false);
        };
        let record: AttemptRecord = parse(&stored.subject, &stored.payload)?;
        Ok(record.is_open(attempt.attempt))
    }
}
