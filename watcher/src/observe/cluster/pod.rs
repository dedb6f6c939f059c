//! What a pod of an attempt tells.

mod beginning;

use aideator_contract::cluster::{BRAIN, HANDS};
use aideator_contract::local::ExitStatus;
use aideator_contract::{Code, Reason, Timestamp};
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodCondition, PodStatus,
};

use self::beginning::{cant_start, could_not_start, not_begun, waiting};
use super::judge::at;
use crate::observe::Observation;

/// How long past the moment at which a deleted pod must be gone its node is given, in milliseconds:
/// a busy one takes its time.
const NODE_ANSWERS_MS: u64 = 30_000;
/// The same where Kubernetes has given up the node, in milliseconds.
const LOST_NODE_ANSWERS_MS: u64 = 3_000;
/// How long after the end of a brain Kubernetes may take to say who ended it, in milliseconds.
const CAUSE_SHOWS_MS: u64 = 4_000;
/// The exit code of a process ended by signal N is this plus N.
const SIGNALLED: i32 = 128;
const KILLED: i32 = SIGNALLED + 9;
const TOLD_TO_END: i32 = SIGNALLED + 15;

/// What is seen of the attempt by its pod; `complaint` is the newest warning about it from its node.
pub(super) fn judge(pod: &Pod, complaint: Option<&str>, now: Timestamp) -> Observation {
    let Some(status) = &pod.status else {
        return waiting(pod, None);
    };
    let deleted = at(pod.metadata.deletion_timestamp.as_ref());
    if matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")) {
        return ended(status, deleted.is_some(), now);
    }
    if let Some(lost) = deleted.and_then(|gone_by| lost(status, now.since(gone_by))) {
        return lost;
    }
    if running(container(status, BRAIN)) {
        return if is_out_of_reach(status) {
            Observation::Unreachable(silent_node())
        } else {
            Observation::Running
        };
    }
    if terminated(container(status, BRAIN)).is_some() || deleted.is_some() {
        // Its phase is about to say so.
        return Observation::Unknown;
    }
    not_begun(pod, status, complaint)
}

/// A deleted pod that had to be gone `late` milliseconds ago, and of which its node does not say so.
fn lost(status: &PodStatus, late: u64) -> Option<Observation> {
    let node_lost =
        |seen: &Observation| matches!(seen, Observation::Failed(r) if r.code == Code::NodeLost);
    match taken_away(status).filter(node_lost) {
        Some(lost) if late > LOST_NODE_ANSWERS_MS => Some(lost),
        _ if late > NODE_ANSWERS_MS => Some(Observation::Failed(silent_node())),
        _ => None,
    }
}

fn silent_node() -> Reason {
    Reason::new(Code::NodeLost, "the node of its pod does not answer")
}

/// Whether Kubernetes has given the pod's node up. Its node lifecycle controller then says of each pod
/// that it is not ready, and not why, which a node always says; a node that answers again takes it back.
fn is_out_of_reach(status: &PodStatus) -> bool {
    condition(status, "Ready").is_some_and(|c| c.status == "False" && c.reason.is_none())
}

/// When it got its node.
pub(super) fn scheduled(pod: &Pod) -> Option<Timestamp> {
    let status = pod.status.as_ref()?;
    let scheduled = condition(status, "PodScheduled").filter(|c| c.status == "True")?;
    at(scheduled.last_transition_time.as_ref())
}

/// When its first container started, which is when the first image was there.
pub(super) fn first_start(pod: &Pod) -> Option<Timestamp> {
    let status = pod.status.as_ref()?;
    let started = |name| {
        let state = container(status, name)?.state.as_ref()?;
        let running = state.running.as_ref().and_then(|r| r.started_at.as_ref());
        let over = state.terminated.as_ref();
        at(running.or(over.and_then(|t| t.started_at.as_ref())))
    };
    [started(HANDS), started(BRAIN)].into_iter().flatten().min()
}

fn ended(status: &PodStatus, deleted: bool, now: Timestamp) -> Observation {
    if let Some(observed) = taken_away(status) {
        return observed;
    }
    let (brain, hands) = (container(status, BRAIN), container(status, HANDS));
    let out_of_memory = |whose: &str| {
        let message = format!("out of memory: {whose} used more than its limit");
        Observation::Failed(Reason::new(Code::OutOfMemory, message))
    };
    if terminated(brain).is_some_and(killed_for_memory) {
        return out_of_memory("the agent's brain");
    }
    let ends_of_hands = [terminated(hands), terminated_before(hands)];
    if ends_of_hands.into_iter().flatten().any(killed_for_memory) {
        return out_of_memory("the agent's hands, or a command in them,");
    }
    if deleted {
        return Observation::Failed(Reason::new(Code::PodDeleted, "its pod was deleted"));
    }
    match terminated(brain) {
        Some(end) if end.reason.as_deref() == Some("ContainerStatusUnknown") => {
            Observation::Failed(Reason::new(Code::NodeLost, "the node of its pod was lost"))
        }
        Some(end) if could_not_start(end) => Observation::Failed(cant_start(BRAIN, end)),
        Some(end) if may_have_been_told(end, now) => Observation::Unknown,
        Some(end) => Observation::Exited(exit_status(end)),
        None => match terminated(hands) {
            Some(end) => Observation::Failed(cant_start(HANDS, end)),
            None => Observation::Vanished,
        },
    }
}

/// A pod that was ended from outside, and by whom.
fn taken_away(status: &PodStatus) -> Option<Observation> {
    let said = status.message.as_deref().unwrap_or_default();
    let failed = |code, words: &str| {
        let message = match said {
            "" => words.to_owned(),
            said => format!("{words}: {said}"),
        };
        Some(Observation::Failed(Reason::new(code, message)))
    };
    match status.reason.as_deref() {
        Some("DeadlineExceeded") => return Some(Observation::Deadline),
        // Of the reasons for an eviction by its node only a limit of its own is its own doing.
        Some("Evicted")
            if said.contains("limit")
                && (said.contains("exceeds the") || said.contains("exceeded its")) =>
        {
            return failed(Code::OutOfDisk, "it used more disk than allowed");
        }
        Some("Evicted") => return failed(Code::Evicted, "its node evicted it"),
        Some("NodeLost") => return failed(Code::NodeLost, "the node of its pod was lost"),
        Some("NodeShutdown" | "Terminated") => {
            return failed(Code::Evicted, "its node was shut down");
        }
        Some(reason) if reason.starts_with("OutOf") || reason == "UnexpectedAdmissionError" => {
            return failed(Code::Evicted, "its node would not take it");
        }
        _ => {}
    }
    let disruption = condition(status, "DisruptionTarget").filter(|c| c.status == "True")?;
    match disruption.reason.as_deref() {
        Some("PreemptionByScheduler") => {
            failed(Code::Evicted, "it made way for a more important pod")
        }
        Some("DeletionByTaintManager") => {
            failed(Code::NodeLost, "its node went away or was tainted")
        }
        Some("DeletionByPodGC") => failed(Code::NodeLost, "the node of its pod is gone"),
        _ => failed(Code::Evicted, "it was evicted from its node"),
    }
}

/// Killed by the kernel for its memory. The runtime also marks a container of which only a child
/// was killed and which ended well later, so the exit code counts too.
fn killed_for_memory(end: &ContainerStateTerminated) -> bool {
    end.reason.as_deref() == Some("OOMKilled") && end.exit_code == KILLED
}

/// It ended in order a moment ago, perhaps because it was told to: an eviction or a deletion shows a
/// little later than the end it brings.
fn may_have_been_told(end: &ContainerStateTerminated, now: Timestamp) -> bool {
    let finished = at(end.finished_at.as_ref()).unwrap_or_default();
    [0, TOLD_TO_END].contains(&end.exit_code) && now.since(finished) < CAUSE_SHOWS_MS
}

fn exit_status(end: &ContainerStateTerminated) -> ExitStatus {
    let signal = match end.signal {
        Some(signal) if signal > 0 => Some(signal),
        _ => Some(end.exit_code - SIGNALLED).filter(|signal| (1..=64).contains(signal)),
    };
    ExitStatus {
        code: signal.is_none().then_some(end.exit_code),
        signal,
        at: at(end.finished_at.as_ref()).unwrap_or_default(),
    }
}

fn container<'a>(status: &'a PodStatus, name: &str) -> Option<&'a ContainerStatus> {
    let ordinary = status.container_statuses.iter().flatten();
    let first = status.init_container_statuses.iter().flatten();
    ordinary.chain(first).find(|c| c.name == name)
}

fn running(container: Option<&ContainerStatus>) -> bool {
    state(container).is_some_and(|state| state.running.is_some())
}

fn terminated(container: Option<&ContainerStatus>) -> Option<&ContainerStateTerminated> {
    state(container)?.terminated.as_ref()
}

/// How it ended before it was started again.
fn terminated_before(container: Option<&ContainerStatus>) -> Option<&ContainerStateTerminated> {
    container?.last_state.as_ref()?.terminated.as_ref()
}

fn state(container: Option<&ContainerStatus>) -> Option<&ContainerState> {
    container?.state.as_ref()
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a PodCondition> {
    status.conditions.iter().flatten().find(|c| c.type_ == kind)
}
