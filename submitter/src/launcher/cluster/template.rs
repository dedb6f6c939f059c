//! The Job from which every agent's is made: the chart's template, read once and judged.

use std::fs;
use std::path::Path;

use aideator_contract::cluster::{BRAIN, CREDENTIALS_VOLUME, HANDS};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Container, PodSpec, Volume};

use crate::error::Error;

/// A Job that can become an agent's, and keeps what is promised about it: one attempt a Job, and no
/// secret where commands run.
#[derive(Debug, Clone)]
pub struct Template {
    job: Job,
    spec: JobSpec,
    pod: PodSpec,
}

impl Template {
    /// Reads the template from a file.
    ///
    /// # Errors
    /// [`Error::Config`] if it can't be read or breaks a promise, in words.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let text = fs::read_to_string(path)
            .map_err(|e| Error::Config(format!("the Job template {shown} can't be read: {e}")))?;
        Self::parse(&text).map_err(|why| Error::Config(format!("the Job template {shown}: {why}")))
    }

    /// Reads the template from YAML.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(yaml: &str) -> Result<Self, String> {
        let mut job: Job =
            serde_saphyr::from_str(yaml).map_err(|e| format!("it is no batch/v1 Job: {e}"))?;
        let mut spec = job.spec.take().ok_or("it has no spec")?;
        let pod = spec.template.spec.take().ok_or("it has no pod")?;
        let template = Self { job, spec, pod };
        match template.faults().next() {
            Some(fault) => Err(fault.to_owned()),
            None => Ok(template),
        }
    }

    /// The parts, for building on them: Job without spec, spec without pod, pod.
    pub(super) fn parts(&self) -> (Job, JobSpec, PodSpec) {
        (self.job.clone(), self.spec.clone(), self.pod.clone())
    }

    fn faults(&self) -> impl Iterator<Item = &'static str> + use<> {
        let Self { spec, pod, .. } = self;
        let hands = pod.init_containers.iter().flatten();
        let hands = hands.into_iter().find(|c| c.name == HANDS);
        let brain = pod.containers.iter().find(|c| c.name == BRAIN);
        let sidecar = hands.is_some_and(|c| c.restart_policy.as_deref() == Some("Always"));
        let secret = hands.is_some_and(|c| knows_a_secret(c, pod));
        let rules = [
            (brain.is_none(), "it has no container \"brain\""),
            (
                !sidecar,
                "it has no native sidecar \"hands\" (an init container with restartPolicy Always)",
            ),
            (
                secret,
                "its \"hands\" are given a secret, and hands run strangers' commands",
            ),
            (
                credentials(pod).is_none(),
                "it has no volume \"credentials\" with a secret",
            ),
            (
                spec.backoff_limit != Some(0),
                "its backoffLimit is not 0: another try is another attempt",
            ),
            (
                pod.restart_policy.as_deref() != Some("Never"),
                "its restartPolicy is not Never",
            ),
            (
                pod.automount_service_account_token != Some(false),
                "it mounts a service account's token",
            ),
            (
                pod.share_process_namespace == Some(true),
                "its containers share their processes",
            ),
        ];
        let broken = rules.into_iter().filter(|(broken, _)| *broken);
        broken.map(|(_, words)| words)
    }
}

fn credentials(pod: &PodSpec) -> Option<&Volume> {
    let mut volumes = pod.volumes.iter().flatten();
    volumes.find(|v| v.name == CREDENTIALS_VOLUME && v.secret.is_some())
}

/// Whether a container sees the content of a Secret, by environment or by file.
fn knows_a_secret(container: &Container, pod: &PodSpec) -> bool {
    let variables = container.env.iter().flatten();
    let by_variable = variables
        .filter_map(|variable| variable.value_from.as_ref())
        .any(|from| from.secret_key_ref.is_some());
    let sources = container.env_from.iter().flatten();
    let by_source = sources.into_iter().any(|s| s.secret_ref.is_some());
    let volumes = pod.volumes.iter().flatten();
    let secret: Vec<&str> = volumes
        .filter(|v| v.secret.is_some() || v.projected.is_some())
        .map(|v| v.name.as_str())
        .collect();
    let mounts = container.volume_mounts.iter().flatten();
    let by_file = mounts
        .into_iter()
        .any(|m| secret.contains(&m.name.as_str()));
    by_variable || by_source || by_file
}
