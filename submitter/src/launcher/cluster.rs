//! Attempts as Jobs of a Kubernetes cluster.
//!
//! What is made for an attempt is built by pure functions from the chart's one template ([`build`]);
//! this file applies it. A Secret with the attempt's credential comes first, then the Job, which
//! then owns the Secret. Everything is named after the attempt, so that doing it again is the same.

mod build;
mod refusal;
mod sweep;
mod template;
#[cfg(test)]
mod tests;

use std::time::Duration;

use aideator_contract::Code;
use aideator_contract::cluster::{INSTANCE, labels, object_name};
use aideator_contract::local::AttemptName;
use aideator_contract::{Reason, cluster};
use futures::future::join_all;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, Resource as _, ResourceExt as _};
use serde_json::json;

use self::build::{Objects, build};
use self::refusal::refusal;
pub(crate) use self::sweep::Sweep;
pub(crate) use self::template::Template;
use super::{LaunchError, Launcher, Order, Pressure};
use crate::error::Error;

/// Who writes, for server-side apply.
const MANAGER: &str = "aideator-submitter";

/// Where agents run and how long they have.
#[derive(Debug, Clone)]
pub struct Site {
    /// The namespace.
    pub namespace: String,
    /// The installation's name.
    pub instance: String,
    /// How long an attempt has to begin.
    pub start_allowance: Duration,
    /// What every Job ends with.
    pub owner: Option<OwnerReference>,
}

/// Makes Jobs.
#[derive(Clone)]
pub struct ClusterLauncher {
    site: Site,
    template: Template,
    jobs: Api<Job>,
    secrets: Api<Secret>,
    pods: Api<Pod>,
}

impl ClusterLauncher {
    /// Jobs at `site`, each made from `template`.
    #[must_use]
    pub fn new(client: Client, site: Site, template: Template) -> Self {
        Self {
            jobs: Api::namespaced(client.clone(), &site.namespace),
            secrets: Api::namespaced(client.clone(), &site.namespace),
            pods: Api::namespaced(client, &site.namespace),
            site,
            template,
        }
    }

    /// Creates the Job, or finds the one that is there.
    async fn put_job(&self, job: &Job) -> Result<Job, LaunchError> {
        match self.jobs.create(&PostParams::default(), job).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            created => return created.map_err(|error| refusal(&error)),
        }
        let name = job.name_any();
        let there = self.jobs.get(&name).await.map_err(|e| refusal(&e))?;
        if there.labels().get(INSTANCE) == Some(&self.site.instance) {
            return Ok(there);
        }
        Err(LaunchError::Never(Reason::new(
            Code::LaunchFailed,
            format!("the namespace has a Job {name} that is not ours; delete or rename it"),
        )))
    }

    async fn put_secret(&self, secret: &Secret) -> Result<(), kube::Error> {
        let params = PatchParams::apply(MANAGER).force();
        let name = secret.name_any();
        self.secrets
            .patch(&name, &params, &Patch::Apply(secret))
            .await
            .map(|_| ())
    }

    /// Makes the Secret end with its Job.
    async fn own(&self, name: &str, job: &Job) -> Result<(), kube::Error> {
        let owned = json!({"metadata": {"ownerReferences": [job.owner_ref(&())]}});
        let params = PatchParams::default();
        self.secrets
            .patch_metadata(name, &params, &Patch::Merge(owned))
            .await
            .map(|_| ())
    }

    /// Ends the pods of an attempt without a grace.
    async fn kill(&self, name: &AttemptName) -> Result<(), kube::Error> {
        let labels = labels(&self.site.instance, name);
        let selector: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let pods = ListParams::default().labels(&selector.join(","));
        let at_once = DeleteParams::default().grace_period(0);
        let pods = self.pods.list_metadata(&pods).await?;
        let names: Vec<String> = pods.iter().map(kube::ResourceExt::name_any).collect();
        let killed = names.iter().map(|pod| self.pods.delete(pod, &at_once));
        join_all(killed)
            .await
            .into_iter()
            .try_for_each(|killed| gone(killed.map(|_| ())))
    }
}

impl Launcher for ClusterLauncher {
    async fn launch(&self, order: Order) -> Result<(), LaunchError> {
        let name = object_name(&order.name);
        let Objects { secret, job } = build(&self.template, &self.site, &order);
        self.put_secret(&secret).await.map_err(|e| refusal(&e))?;
        let job = self.put_job(&job).await?;
        if let Err(error) = self.own(&name, &job).await {
            // The sweep makes up for it.
            tracing::warn!(attempt = %order.name, %error, "a credential's Secret has no owner yet");
        }
        Ok(())
    }

    async fn stop(&self, name: &AttemptName, pressure: Pressure) {
        let job = object_name(name);
        let deleted = self.jobs.delete(&job, &DeleteParams::background()).await;
        let mut stopped = gone(deleted.map(|_| ()));
        if stopped.is_ok() && pressure == Pressure::Hard {
            stopped = self.kill(name).await;
        }
        if let Err(error) = stopped {
            tracing::warn!(attempt = %name, %error, "an attempt could not be stopped");
        }
    }
}

/// A ConfigMap of the installation, as the owner of Jobs: Kubernetes deletes them once it is gone.
///
/// # Errors
/// [`Error::Config`] if it can't be read, in words.
pub(crate) async fn installation(
    client: Client,
    namespace: &str,
    name: &str,
) -> Result<OwnerReference, Error> {
    let unread = |why: String| {
        let what = format!("the ConfigMap {name}, which is to own the Jobs of agents");
        Error::Config(format!("{what}, can't be read: {why}"))
    };
    let config_maps: Api<ConfigMap> = Api::namespaced(client, namespace);
    let there = config_maps.get(name).await;
    let there = there.map_err(|error| unread(error.to_string()))?;
    there
        .owner_ref(&())
        .ok_or_else(|| unread("it has no uid".to_owned()))
}

/// What is not there needs no deleting.
fn gone(deleted: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match deleted {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        deleted => deleted,
    }
}

/// The selector of everything made for attempts here.
fn ours(site: &Site) -> ListParams {
    ListParams::default().labels(&cluster::selector(&site.instance))
}
