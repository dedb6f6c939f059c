//! What Kubernetes shows, as 1.34 shows it, and what is made of it.

#![expect(
    clippy::needless_pass_by_value,
    reason = "what Kubernetes shows is written where it is used"
)]

use std::time::Duration;

use aideator_contract::local::ExitStatus;
use aideator_contract::{Code, Timestamp};
use http::{Request, Response};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Cluster;
use super::judge::{judge, startup};
use crate::observe::{Observation, Observer};

const CREATED: &str = "2026-01-01T00:00:00Z";

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + seconds * 1000)
}

fn pod(status: Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "agent-r-0-1-x", "creationTimestamp": CREATED},
        "status": status,
    }))
    .unwrap()
}

fn deleted(status: Value) -> Pod {
    let mut pod = pod(status);
    // The moment at which it must be gone: half a minute after it was created.
    let by = json!("2026-01-01T00:00:30Z");
    pod.metadata.deletion_timestamp = serde_json::from_value(by).unwrap();
    pod
}

fn job(status: Value) -> Job {
    serde_json::from_value(json!({
        "metadata": {"name": "agent-r-0-1", "creationTimestamp": CREATED},
        "spec": {"template": {}},
        "status": status,
    }))
    .unwrap()
}

fn container(name: &str, state: Value) -> Value {
    json!({"name": name, "image": "aideator/agent:1", "imageID": "", "ready": false, "restartCount": 0, "state": state})
}

fn terminated(code: i32, reason: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason, "finishedAt": CREATED}})
}

fn running() -> Value {
    json!({"running": {"startedAt": "2026-01-01T00:00:03Z"}})
}

fn of(pod: &Pod) -> Observation {
    judge(Some(&job(json!({}))), Some(pod), None, at(10))
}

/// The code of what it waits for or failed by; whether its allowance runs.
fn code(seen: &Observation) -> (Option<Code>, Option<bool>) {
    match seen {
        Observation::Waiting { reason, since } => (
            reason.as_ref().map(|r| r.code.clone()),
            Some(since.is_some()),
        ),
        Observation::Failed(reason) => (Some(reason.code.clone()), None),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pod_that_comes_up_waits_without_a_reason_and_then_runs() {
    let creating = json!({"waiting": {"reason": "PodInitializing"}});
    let coming = pod(json!({
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:01Z"}],
        "containerStatuses": [container("brain", creating)],
        "initContainerStatuses": [container("hands", json!({"waiting": {"reason": "ContainerCreating"}}))],
    }));
    let since = Some(at(0));
    assert_eq!(
        of(&coming),
        Observation::Waiting {
            reason: None,
            since
        }
    );
    let up = pod(json!({
        "phase": "Running",
        "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:01Z"}],
        "containerStatuses": [container("brain", json!({"running": {"startedAt": "2026-01-01T00:00:05Z"}}))],
        "initContainerStatuses": [container("hands", running())],
    }));
    assert_eq!(of(&up), Observation::Running);
    let startup = startup(&up);
    assert_eq!(startup.admitted, Some(at(0)));
    assert_eq!(startup.scheduled, Some(at(1)));
    assert_eq!(startup.pulled, Some(at(3)));
}

#[test]
fn what_keeps_a_pod_from_beginning_is_told() {
    let kept = |name: &str, reason: &str, message: &str| {
        let state = json!({"waiting": {"reason": reason, "message": message}});
        let key = if name == "hands" {
            "initContainerStatuses"
        } else {
            "containerStatuses"
        };
        of(&pod(
            json!({"phase": "Pending", key: [container(name, state)]}),
        ))
    };
    let refused = "Error response: no such image";
    let first = kept("hands", "ErrImagePull", refused);
    let backing_off = format!("Back-off pulling image \"x\": ErrImagePull: {refused}");
    let later = kept("hands", "ImagePullBackOff", &backing_off);
    assert_eq!(first, later, "one cause is one reason");
    assert_eq!(code(&first), (Some(Code::ImagePull), Some(true)));
    let broken = kept(
        "brain",
        "CreateContainerConfigError",
        "secret \"x\" not found",
    );
    assert_eq!(code(&broken), (Some(Code::PodStart), Some(true)));
    let mut crashing = container("hands", json!({"waiting": {"reason": "CrashLoopBackOff"}}));
    crashing["lastState"] = terminated(1, "Error");
    let crashing = of(&pod(
        json!({"phase": "Pending", "initContainerStatuses": [crashing]}),
    ));
    let Observation::Waiting {
        reason: Some(reason),
        ..
    } = crashing
    else {
        panic!("{crashing:?}");
    };
    assert_eq!(
        reason.to_string(),
        "the agent's hands ended with exit code 1 at the start"
    );
}

#[test]
fn a_pod_without_a_node_says_why() {
    let held = |reason: &str| {
        of(&pod(json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": reason, "message": "0/1 nodes are available"},
        ]})))
    };
    assert_eq!(
        code(&held("Unschedulable")),
        (Some(Code::Unschedulable), Some(true))
    );
    assert_eq!(
        code(&held("SchedulingGated")),
        (Some(Code::Quota), Some(false))
    );
}

#[test]
fn a_job_that_gets_no_pod_says_why_and_a_quota_stops_the_allowance() {
    let young = job(json!({}));
    let with = |complaint| judge(Some(&young), None, complaint, at(10));
    assert_eq!(
        with(None),
        Observation::Waiting {
            reason: None,
            since: Some(at(0))
        }
    );
    let quota = with(Some(
        "Error creating: pods \"a\" is forbidden: exceeded quota: agents, requested: pods=1, used: pods=5, limited: pods=5",
    ));
    assert_eq!(code(&quota), (Some(Code::Quota), Some(false)));
    let Observation::Waiting {
        reason: Some(reason),
        ..
    } = quota
    else {
        panic!()
    };
    assert_eq!(
        reason.message,
        "waits for the namespace's quota: agents, requested: pods=1, used: pods=5, limited: pods=5"
    );
    let policy = with(Some(
        "pods \"a\" is forbidden: violates PodSecurity \"restricted\"",
    ));
    assert_eq!(code(&policy), (Some(Code::Kubernetes), Some(true)));
    let mut suspended = young;
    suspended.spec.as_mut().unwrap().suspend = Some(true);
    let queued = judge(Some(&suspended), None, None, at(10));
    assert_eq!(code(&queued), (Some(Code::Quota), Some(false)));
}

#[test]
fn a_complaint_of_its_node_is_over_once_its_sandbox_stands() {
    let with = |prepared: &str| {
        let pending = pod(json!({"phase": "Pending", "conditions": [
            {"type": "PodReadyToStartContainers", "status": prepared},
        ]}));
        judge(
            Some(&job(json!({}))),
            Some(&pending),
            Some("no such Secret"),
            at(10),
        )
    };
    assert_eq!(code(&with("False")).0, Some(Code::PodStart));
    assert_eq!(code(&with("True")).0, None);
}

#[test]
fn the_end_of_the_brain_is_the_end() {
    let brain = |state: Value| {
        of(&pod(
            json!({"phase": "Failed", "containerStatuses": [container("brain", state)]}),
        ))
    };
    let status = |code, signal| {
        Observation::Exited(ExitStatus {
            code,
            signal,
            at: at(0),
        })
    };
    assert_eq!(brain(terminated(7, "Error")), status(Some(7), None));
    assert_eq!(brain(terminated(137, "Error")), status(None, Some(9)));
    assert_eq!(
        code(&brain(terminated(137, "OOMKilled"))).0,
        Some(Code::OutOfMemory)
    );
    assert_eq!(
        code(&brain(terminated(137, "ContainerStatusUnknown"))).0,
        Some(Code::NodeLost)
    );
    assert_eq!(
        code(&brain(terminated(128, "StartError"))).0,
        Some(Code::PodStart)
    );
    let well = pod(
        json!({"phase": "Succeeded", "containerStatuses": [container("brain", terminated(0, "Completed"))]}),
    );
    assert_eq!(of(&well), status(Some(0), None));
}

#[test]
fn who_told_a_brain_to_end_may_show_a_moment_later() {
    let told = pod(
        json!({"phase": "Failed", "containerStatuses": [container("brain", terminated(143, "Error"))]}),
    );
    let seen = |second| judge(Some(&job(json!({}))), Some(&told), None, at(second));
    assert_eq!(seen(3), Observation::Unknown);
    assert!(matches!(seen(4), Observation::Exited(_)));
}

#[test]
fn hands_that_ran_out_of_memory_are_the_cause_and_a_child_of_theirs_is_not() {
    let ended = |hands: Value| {
        of(&pod(json!({
            "phase": "Failed",
            "containerStatuses": [container("brain", terminated(1, "Error"))],
            "initContainerStatuses": [hands],
        })))
    };
    let mut again = container("hands", running());
    again["lastState"] = terminated(137, "OOMKilled");
    assert_eq!(code(&ended(again)).0, Some(Code::OutOfMemory));
    let only_a_child = container("hands", terminated(143, "OOMKilled"));
    assert!(matches!(ended(only_a_child), Observation::Exited(_)));
}

#[test]
fn a_pod_that_is_taken_away_says_by_whom() {
    let gone = |reason: &str, message: &str| {
        of(&pod(
            json!({"phase": "Failed", "reason": reason, "message": message}),
        ))
    };
    let disk = "Pod ephemeral local storage usage exceeds the total limit of containers 64Mi. ";
    assert_eq!(code(&gone("Evicted", disk)).0, Some(Code::OutOfDisk));
    let volume = "Usage of EmptyDir volume \"workspace\" exceeds the limit \"32Mi\". ";
    assert_eq!(code(&gone("Evicted", volume)).0, Some(Code::OutOfDisk));
    let own = "Container hands exceeded its local ephemeral storage limit \"64Mi\". ";
    assert_eq!(code(&gone("Evicted", own)).0, Some(Code::OutOfDisk));
    let pressure = "The node was low on resource: memory. ";
    assert_eq!(code(&gone("Evicted", pressure)).0, Some(Code::Evicted));
    assert_eq!(gone("DeadlineExceeded", ""), Observation::Deadline);
    let disrupted = |reason: &str| {
        of(&pod(json!({"phase": "Failed", "conditions": [
            {"type": "DisruptionTarget", "status": "True", "reason": reason},
        ], "containerStatuses": [container("brain", terminated(137, "Error"))]})))
    };
    assert_eq!(
        code(&disrupted("EvictionByEvictionAPI")).0,
        Some(Code::Evicted)
    );
    assert_eq!(
        code(&disrupted("PreemptionByScheduler")).0,
        Some(Code::Evicted)
    );
    assert_eq!(
        code(&disrupted("DeletionByTaintManager")).0,
        Some(Code::NodeLost)
    );
    assert_eq!(code(&disrupted("DeletionByPodGC")).0, Some(Code::NodeLost));
}

#[test]
fn a_pod_whose_node_was_given_up_is_out_of_reach() {
    let up = |ready: Value| {
        of(&pod(json!({
            "phase": "Running",
            "conditions": [{"type": "ContainersReady", "status": "True"}, ready],
            "containerStatuses": [container("brain", running())],
        })))
    };
    let ready = json!({"type": "Ready", "status": "True"});
    assert_eq!(up(ready), Observation::Running);
    let marked = json!({"type": "Ready", "status": "False"});
    let Observation::Unreachable(reason) = up(marked) else {
        panic!("it is out of reach");
    };
    assert_eq!(reason.code, Code::NodeLost);
    let by_its_node =
        json!({"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady"});
    assert_eq!(up(by_its_node), Observation::Running);
}

#[test]
fn a_deleted_pod_may_say_its_last_word_and_a_silent_node_is_lost() {
    let brain = |state: Value| json!({"phase": "Running", "containerStatuses": [container("brain", state)]});
    let ending = deleted(brain(running()));
    let job = job(json!({}));
    let seen = |second| judge(Some(&job), Some(&ending), None, at(second));
    assert_eq!(seen(10), Observation::Running);
    assert_eq!(seen(60), Observation::Running);
    assert_eq!(code(&seen(61)).0, Some(Code::NodeLost));
    let mut given_up = brain(running());
    given_up["conditions"] =
        json!([{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}]);
    let given_up = deleted(given_up);
    let seen = |second| judge(Some(&job), Some(&given_up), None, at(second));
    assert_eq!(seen(33), Observation::Running);
    assert_eq!(code(&seen(34)).0, Some(Code::NodeLost));
    let over = deleted(
        json!({"phase": "Succeeded", "containerStatuses": [container("brain", terminated(0, "Completed"))]}),
    );
    assert_eq!(code(&of(&over)).0, Some(Code::PodDeleted));
    let with_its_job = judge(None, Some(&over), None, at(10));
    assert_eq!(code(&with_its_job).0, Some(Code::JobDeleted));
    let never_began = deleted(json!({"phase": "Pending"}));
    assert_eq!(of(&never_began), Observation::Unknown);
}

#[test]
fn a_job_that_lost_its_pod_waits_for_the_controllers_word() {
    let with = |status: Value| judge(Some(&job(status)), None, None, at(10));
    assert_eq!(with(json!({"failed": 1})), Observation::Unknown);
    assert_eq!(with(json!({"active": 1})), Observation::Unknown);
    let uncounted = json!({"uncountedTerminatedPods": {"failed": ["a"]}});
    assert_eq!(with(uncounted), Observation::Unknown);
    let failed = |reason: &str| {
        with(
            json!({"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": reason}]}),
        )
    };
    assert_eq!(
        code(&failed("BackoffLimitExceeded")).0,
        Some(Code::PodDeleted)
    );
    assert_eq!(failed("DeadlineExceeded"), Observation::Deadline);
    let complete =
        with(json!({"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}));
    assert_eq!(complete, Observation::Vanished);
    assert_eq!(judge(None, None, None, at(10)), Observation::Absent);
}

/// An API server that lists nothing, and has a Job when it is asked for it more than `misses` times.
fn server(misses: usize) -> Client {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    tokio::spawn(async move {
        let (mut asked, mut watching) = (0, Vec::new());
        while let Some((request, send)) = handle.next_request().await {
            let uri = request.uri().clone();
            if uri
                .query()
                .is_some_and(|query| query.contains("watch=true"))
            {
                watching.push(send);
                continue;
            }
            let (code, body) = if uri.path().ends_with("/jobs/agent-r-0-1") {
                asked += 1;
                if asked > misses {
                    (200, serde_json::to_value(job(json!({}))).unwrap())
                } else {
                    let status = json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound"});
                    (404, status)
                }
            } else {
                (
                    200,
                    json!({"metadata": {"resourceVersion": "1"}, "items": []}),
                )
            };
            let body = Body::from(serde_json::to_vec(&body).unwrap());
            send.send_response(Response::builder().status(code).body(body).unwrap());
        }
    });
    Client::new(service, "ideas")
}

#[tokio::test]
async fn a_job_without_a_copy_is_asked_for_anew_each_time_it_matters() {
    let (cluster, watching) = Cluster::new(server(1), "ideas", "aideator");
    tokio::spawn(watching);
    let names = || vec!["r.0.1".parse().unwrap()];
    let ready = async {
        while cluster.glance(names()).await[0] == Observation::Unknown {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), ready).await.unwrap();
    assert_eq!(cluster.look(names()).await, [Observation::Absent]);
    // It was made in between: the answer of a moment ago counts no more.
    let seen = cluster.look(names()).await;
    assert!(matches!(seen[0], Observation::Waiting { .. }), "{seen:?}");
    assert_eq!(cluster.glance(names()).await, [Observation::Absent]);
}
