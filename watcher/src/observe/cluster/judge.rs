//! What a Job and its pod tell about an attempt: a pure function of what Kubernetes shows.
//!
//! Field names and reasons are those of <https://kubernetes.io/docs/reference/kubernetes-api/>,
//! `batch/v1` Job and `v1` Pod. Which cause ends up in which words is a table in ARCHITECTURE.md.

use aideator_contract::{Code, Reason, Startup, Timestamp};
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::pod;
use crate::observe::Observation;

/// What is seen of an attempt whose Job, newest pod and newest complaint (of the Job controller,
/// that it can't create the pod; of the node, that it can't prepare it) are these. With neither Job
/// nor pod: nothing of it is there.
pub(super) fn judge(
    job: Option<&Job>,
    pod: Option<&Pod>,
    complaint: Option<&str>,
    now: Timestamp,
) -> Observation {
    match (pod, job) {
        (Some(pod), Some(_)) => pod::judge(pod, complaint, now),
        (Some(pod), None) => match pod::judge(pod, complaint, now) {
            Observation::Failed(reason) if reason.code == Code::PodDeleted => Observation::Failed(
                Reason::new(Code::JobDeleted, "the Job of its agent was deleted"),
            ),
            seen => seen,
        },
        (None, Some(job)) => of_job(job, complaint),
        (None, None) => Observation::Absent,
    }
}

/// A Job without a pod: one that waits for it, or one that has lost it.
fn of_job(job: &Job, complaint: Option<&str>) -> Observation {
    if let Some(failed) = condition(job, "Failed") {
        return match failed.reason.as_deref() {
            Some("DeadlineExceeded") => Observation::Deadline,
            _ => Observation::Failed(lost_pod()),
        };
    }
    if condition(job, "Complete").is_some() {
        // Its brain exited with 0; without a last word that is no success.
        return Observation::Vanished;
    }
    let status = job.status.as_ref();
    let has_had_a_pod = status.is_some_and(|status| {
        let pods = [status.active, status.failed, status.succeeded];
        let uncounted = status.uncounted_terminated_pods.as_ref();
        pods.into_iter().flatten().any(|count| count > 0)
            || uncounted.is_some_and(|u| u.failed.is_some() || u.succeeded.is_some())
            || condition(job, "FailureTarget").is_some()
    });
    if has_had_a_pod {
        // Its pod is about to show, or the Job controller to say how it ended.
        return Observation::Unknown;
    }
    if job.spec.as_ref().is_some_and(|s| s.suspend == Some(true)) {
        return Observation::Waiting {
            reason: Some(Reason::new(
                Code::Quota,
                "waits in the cluster's queue: its Job is suspended until there is room",
            )),
            since: None,
        };
    }
    let created = at(job.metadata.creation_timestamp.as_ref());
    match complaint {
        None => Observation::Waiting {
            reason: None,
            since: created,
        },
        Some(complaint) => match complaint.split_once("exceeded quota: ") {
            Some((_, quota)) => Observation::Waiting {
                reason: Some(Reason::new(
                    Code::Quota,
                    format!("waits for the namespace's quota: {quota}"),
                )),
                since: None,
            },
            None => Observation::Waiting {
                reason: Some(Reason::new(
                    Code::Kubernetes,
                    format!("Kubernetes refuses its pod: {complaint}"),
                )),
                since: created,
            },
        },
    }
}

fn lost_pod() -> Reason {
    Reason::new(
        Code::PodDeleted,
        "its pod is gone: it was deleted or evicted, or its node went away",
    )
}

fn condition<'a>(job: &'a Job, kind: &str) -> Option<&'a JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|c| c.type_ == kind && c.status == "True")
}

/// How an attempt came to its first token, as its pod shows it.
pub(super) fn startup(pod: &Pod) -> Startup {
    Startup {
        admitted: at(pod.metadata.creation_timestamp.as_ref()),
        scheduled: pod::scheduled(pod),
        pulled: pod::first_start(pod),
        ..Startup::default()
    }
}

pub(super) fn at(time: Option<&Time>) -> Option<Timestamp> {
    let millis = time?.0.as_millisecond();
    Some(Timestamp::from_millis(u64::try_from(millis).ok()?))
}
