//! What is made in the cluster for one attempt: a pure function of the template and the order.
//!
//! Typed fields are set on the template; no text is put into text. The prompt is in neither object:
//! the agent reads it from JetStream.

use std::collections::BTreeMap;

use aideator_contract::cluster::{
    BRAIN, CREDENTIALS_KEY, CREDENTIALS_VOLUME, EXPIRES, LIFETIME, labels, object_name,
};
use k8s_openapi::ByteString;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, EnvVar, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;

use super::super::{Order, credential_life, longest_life};
use super::{Site, Template};

/// What is made for an attempt.
pub(super) struct Objects {
    pub(super) secret: Secret,
    pub(super) job: Job,
}

pub(super) fn build(template: &Template, site: &Site, order: &Order) -> Objects {
    let lifetime = credential_life(&order.spec, site.start_allowance);
    let expires = order
        .credentials
        .expires()
        .unwrap_or(0)
        .saturating_mul(1000);
    let annotations = BTreeMap::from([
        (EXPIRES.to_owned(), expires.to_string()),
        (LIFETIME.to_owned(), lifetime.as_millis().to_string()),
    ]);
    let credential = order.credentials.to_text().into_bytes();
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(object_name(&order.name)),
            namespace: Some(site.namespace.clone()),
            labels: Some(labels(&site.instance, &order.name)),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some(BTreeMap::from([(
            CREDENTIALS_KEY.to_owned(),
            ByteString(credential),
        )])),
        ..Secret::default()
    };
    Objects {
        secret,
        job: job(template, site, order),
    }
}

fn job(template: &Template, site: &Site, order: &Order) -> Job {
    let name = object_name(&order.name);
    let ours = labels(&site.instance, &order.name);
    let (mut job, mut spec, mut pod) = template.parts();
    job.metadata.name = Some(name.clone());
    job.metadata.namespace = Some(site.namespace.clone());
    job.labels_mut().extend(ours.clone());
    job.owner_references_mut().extend(site.owner.clone());
    let about_pod = spec.template.metadata.get_or_insert_default();
    about_pod.labels.get_or_insert_default().extend(ours);
    // On the pod, not on the Job: what waits for a quota or in a queue is not running out of time.
    let longest = longest_life(&order.spec, site.start_allowance).as_secs();
    pod.active_deadline_seconds = Some(i64::try_from(longest).unwrap_or(i64::MAX));
    if let Some(brain) = pod.containers.iter_mut().find(|c| c.name == BRAIN) {
        tell(brain, "AIDEATOR_RUN", &order.name.run);
        tell(brain, "AIDEATOR_VARIATION", &order.name.variation);
        tell(brain, "AIDEATOR_ATTEMPT", &order.name.attempt);
    }
    let mut volumes = pod.volumes.iter_mut().flatten();
    let credentials = volumes.find(|volume| volume.name == CREDENTIALS_VOLUME);
    if let Some(secret) = credentials.and_then(|volume| volume.secret.as_mut()) {
        secret.secret_name = Some(name);
    }
    spec.template.spec = Some(pod);
    job.spec = Some(spec);
    job
}

/// Sets a variable. Its value is an id of ours, checked when it was read: no text of a person's,
/// in which Kubernetes would expand `$(NAME)`.
fn tell(container: &mut Container, name: &str, value: &impl ToString) {
    let variables = container.env.get_or_insert_default();
    variables.retain(|variable| variable.name != name);
    variables.push(EnvVar {
        name: name.to_owned(),
        value: Some(value.to_string()),
        value_from: None,
    });
}
