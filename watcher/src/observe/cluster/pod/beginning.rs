//! What keeps a pod from beginning.

use aideator_contract::cluster::{BRAIN, HANDS};
use aideator_contract::{Code, Reason};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodStatus};

use super::{at, condition, container, killed_for_memory, terminated, terminated_before};
use crate::observe::Observation;

/// A pod whose brain does not run yet.
pub(super) fn not_begun(pod: &Pod, status: &PodStatus, complaint: Option<&str>) -> Observation {
    let scheduled = condition(status, "PodScheduled").filter(|c| c.status == "False");
    if let Some(condition) = scheduled {
        let why = condition.message.as_deref().unwrap_or("no node fits");
        return match condition.reason.as_deref() {
            Some("SchedulingGated") => Observation::Waiting {
                reason: Some(Reason::new(
                    Code::Quota,
                    "waits in the cluster's queue: its pod is held back until there is room",
                )),
                since: None,
            },
            _ => waiting(
                pod,
                Some(Reason::new(
                    Code::Unschedulable,
                    format!("no node has room for it: {why}"),
                )),
            ),
        };
    }
    let containers = [
        (HANDS, container(status, HANDS)),
        (BRAIN, container(status, BRAIN)),
    ];
    let kept = containers
        .into_iter()
        .find_map(|(name, container)| keeps(name, container?));
    let kept = kept.or_else(|| {
        // Once its sandbox stands, what was complained about is over.
        let prepared = condition(status, "PodReadyToStartContainers");
        let complaint = complaint.filter(|_| prepared.is_none_or(|c| c.status != "True"))?;
        Some(Reason::new(
            Code::PodStart,
            format!("its pod can't be prepared: {complaint}"),
        ))
    });
    waiting(pod, kept)
}

/// Why a container keeps the pod from beginning, if it does.
fn keeps(name: &str, container: &ContainerStatus) -> Option<Reason> {
    if container.started == Some(true) {
        return None;
    }
    let end = terminated(Some(container)).or_else(|| terminated_before(Some(container)));
    if let Some(end) = end {
        return Some(cant_start(name, end));
    }
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let said = waiting.message.as_deref().unwrap_or_default();
    match waiting.reason.as_deref()? {
        "ContainerCreating" | "PodInitializing" => None,
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => Some(Reason::new(
            Code::ImagePull,
            format!("the image {} can't be pulled{}", container.image, why(said)),
        )),
        other => Some(Reason::new(
            Code::PodStart,
            format!("{} can't be started ({other}){}", whose(name), after(said)),
        )),
    }
}

/// The cause in what kubelet says about an image. While it waits before it tries again it repeats
/// the cause behind a preface, which would make two reasons of one.
fn why(said: &str) -> String {
    let cause = said.rsplit_once("ErrImagePull: ").map_or(said, |(_, c)| c);
    if cause.starts_with("Back-off pulling image") {
        return String::new();
    }
    after(cause)
}

fn after(said: &str) -> String {
    match said {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

pub(super) fn cant_start(name: &str, end: &ContainerStateTerminated) -> Reason {
    let whose = whose(name);
    if killed_for_memory(end) {
        let message = format!("out of memory: {whose} used more than its limit");
        return Reason::new(Code::OutOfMemory, message);
    }
    let said = after(end.message.as_deref().unwrap_or_default().trim());
    let message = if could_not_start(end) {
        format!("{whose} can't be started{said}")
    } else {
        format!(
            "{whose} ended with exit code {} at the start{said}",
            end.exit_code
        )
    };
    Reason::new(Code::PodStart, message)
}

fn whose(name: &str) -> &'static str {
    if name == HANDS {
        "the agent's hands"
    } else {
        "the agent's brain"
    }
}

pub(super) fn waiting(pod: &Pod, reason: Option<Reason>) -> Observation {
    Observation::Waiting {
        reason,
        since: at(pod.metadata.creation_timestamp.as_ref()),
    }
}

pub(super) fn could_not_start(end: &ContainerStateTerminated) -> bool {
    matches!(
        end.reason.as_deref(),
        Some("StartError" | "ContainerCannotRun")
    )
}
