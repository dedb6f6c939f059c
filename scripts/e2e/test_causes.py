"""Every way an attempt can fail in a cluster: what the person reads, and when.

A reason shows within 10 s of Kubernetes knowing it; the end comes within 10 s of Kubernetes giving up, or of the
start allowance. `SLACK` is what a look from here may be late by.
"""

import json
import time
from datetime import datetime, timezone

from cases import test
from waiting import within

TIMELY = 10
SLACK = 3
ALLOWANCE = 60
# Where the template has them.
HANDS = "/spec/template/spec/initContainers/0"
BRAIN = "/spec/template/spec/containers/0"


def replace(path, value):
    return {"op": "replace", "path": path, "value": value}


def add(path, value):
    return {"op": "add", "path": path, "value": value}


def launched(s, name, what="pods"):
    """Its pod is there (or its Job, as said), so the template may change again."""
    within(60, lambda: f"{what} of {name}: {s.api.variation(name)}", lambda: s.kube.list(what, run=name))
    return name


def reads(now, code, *words):
    reason = now.get("reason") or {}
    said = json.dumps(reason, ensure_ascii=False)
    assert reason.get("code") == code, f"{code} expected: {said}"
    for word in words:
        assert word.lower() in said.lower(), f"{word!r} expected: {said}"
    return f"{now['state']}: {reason['message']}"


def waiting_in(pod):
    statuses = pod["status"].get("initContainerStatuses", []) + pod["status"].get("containerStatuses", [])
    return {status["state"].get("waiting", {}).get("reason") for status in statuses}


def soon(seconds, since, what):
    took = time.monotonic() - since
    assert took < seconds + SLACK, f"{what} took {took:.1f} s"
    return took


def over(s, name):
    """When Kubernetes gives up: the pod has ended or is gone."""
    pods = s.kube.list("pods", run=name, component="agent")
    return not pods or all(pod["status"].get("phase") in ("Failed", "Succeeded") for pod in pods)


def ends(s, name, seconds, code, *words, state="failed"):
    """Once Kubernetes has given up, the end shows in time."""
    within(seconds, lambda: f"the end of the pod of {name}\n{s.pods()}", lambda: over(s, name))
    since = time.monotonic()
    now = s.api.become(name, state, TIMELY + SLACK)
    took = soon(TIMELY, since, "the end")
    return f"{took:.1f} s after: {reads(now, code, *words)}"


def never_begins(s, name, known, code, *words):
    """The reason shows soon after Kubernetes knows it; the end comes soon after the start allowance."""
    within(90, lambda: f"Kubernetes to know it: {s.pods()}", lambda: known(s.pod(name)))
    since = time.monotonic()
    s.api.waits(name, code, TIMELY + SLACK)
    shown = soon(TIMELY, since, "the reason")
    now = s.api.become(name, "failed", ALLOWANCE + TIMELY + SLACK)
    assert "admitted" in now["startup"], f"since when it had to begin is not told: {now}"
    late = now["since"] - now["startup"]["admitted"] - ALLOWANCE * 1000
    assert late < TIMELY * 1000, f"ended {late / 1000:.1f} s after the start allowance"
    within(30, "its Job to be gone", lambda: not [j for j in s.kube.list("jobs", run=name) if not finished(j)])
    return f"shown {shown:.1f} s after; {reads(now, code, *words)}"


def finished(job):
    return any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in job["status"].get("conditions", []))


# First those that need the template as it is.

@test(parallel=True)
def a_command_that_takes_too_much_memory_is_told_so(s):
    with s.template():
        name = launched(s, s.command("memory", "echo begin; sleep 1; tail /dev/zero"))
    now = s.api.become(name, "failed", 90)
    return reads(now, "out-of-memory", "memory")


@test(parallel=True)
def hands_that_take_too_much_memory_are_told_so(s):
    # Many small ones, so that the hands themselves are the largest when memory runs out.
    with s.template():
        name = launched(s, s.command("hands", "while :; do sleep 300 & done"))
    return ends(s, name, 120, "out-of-memory", "hands", "memory")


@test(parallel=True)
def a_command_that_ends_badly_is_told_with_its_exit_code(s):
    with s.template():
        name = launched(s, s.command("exit", "echo begin; exit 7"))
    return reads(s.api.become(name, "failed", 90), "command-failed", "exit code 7")


@test(parallel=True)
def a_workspace_that_is_over_its_size_is_told_so(s):
    with s.template():
        name = launched(s, s.command("disk", "dd if=/dev/zero of=big bs=1M count=200; sleep 300"))
    return ends(s, name, 150, "out-of-disk", "disk")


@test(parallel=True)
def a_deleted_pod_is_told_so(s):
    with s.template():
        name = launched(s, s.command("pod", "echo begin; sleep 300"))
    s.kube.delete("pods", s.running_pod(name, 90))
    return ends(s, name, 60, "pod-deleted", "deleted")


@test(parallel=True)
def an_evicted_pod_is_told_so(s):
    with s.template():
        name = launched(s, s.command("evict", "echo begin; sleep 300"))
    pod = s.running_pod(name, 90)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": s.namespace}}
    s.kube.call("POST", s.kube.path("pods", pod, "eviction"), eviction)
    return ends(s, name, 60, "evicted", "evicted")


@test(parallel=True)
def a_deleted_job_is_told_so(s):
    with s.template():
        name = launched(s, s.command("job", "echo begin; sleep 300"))
    s.running_pod(name, 90)
    s.kube.delete("jobs", s.kube.list("jobs", run=name)[0]["metadata"]["name"])
    within(60, "its pod to go", lambda: over(s, name))
    since = time.monotonic()
    now = s.api.become(name, "failed", TIMELY + SLACK)
    took = soon(TIMELY, since, "the end")
    return f"{took:.1f} s after: {reads(now, 'job-deleted', 'deleted')}"


@test(parallel=True)
def a_deadline_that_passes_ends_the_attempt(s):
    with s.template():
        name = launched(s, s.command("deadline", "echo begin; sleep 300", deadline_s=5))
    began = s.api.become(name, "running", 90)
    now = s.api.become(name, "timed_out", 5 + TIMELY + SLACK)
    assert now["since"] > began["since"]
    return reads(now, "deadline", "deadline")


# Then those that need another one.

@test(parallel=True)
def a_node_that_stops_answering_is_told_so_and_its_end_too(s):
    node = "e2e-ghost"
    s.kubectl("delete", "node", node, "--ignore-not-found")
    s.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}))

    def answers():
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "",
                 "lastHeartbeatTime": now, "lastTransitionTime": now}
        s.kubectl("patch", "node", node, "--subresource=status", "--type=strategic",
                  "-p", json.dumps({"status": {"conditions": [ready]}}))

    def says_ready(pod):
        conditions = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady")]
        s.kube.patch("pods", pod, {"status": {"conditions": conditions}}, "status")

    def ready(pod):
        return {c["type"]: c["status"] for c in s.kube.get("pods", pod)["status"]["conditions"]}.get("Ready")

    try:
        answers()
        with s.template(add("/spec/template/spec/nodeName", node)):
            name = launched(s, s.submit("node", model="scripted/lorem"))
        pod = s.pod(name)["metadata"]["name"]
        # Nobody runs it; its containers are said to run, as the node's own word would.
        running = {"ready": True, "started": True, "restartCount": 0, "image": "x", "imageID": "x",
                   "state": {"running": {"startedAt": s.pod(name)["metadata"]["creationTimestamp"]}}}
        s.kube.patch("pods", pod, {"status": {
            "phase": "Running",
            "containerStatuses": [running | {"name": "brain"}],
            "initContainerStatuses": [running | {"name": "hands"}]}}, "status")
        says_ready(pod)
        assert not s.api.become(name, "starting", 30).get("reason")
        # It says nothing more.
        within(120, "Kubernetes to give the node up", lambda: ready(pod) == "False")
        since = time.monotonic()
        within(TIMELY + SLACK, "the reason", lambda: s.api.variation(name).get("reason"))
        shown = soon(TIMELY, since, "the reason")
        now = s.api.variation(name)
        assert now["state"] == "starting", now
        reads(now, "node-lost", "does not answer")
        answers()
        says_ready(pod)
        within(TIMELY + SLACK, "the reason to be taken back", lambda: not s.api.variation(name).get("reason"))
    finally:
        s.kubectl("delete", "node", node)
    return f"{shown:.1f} s after; gone: " + ends(s, name, 150, "node-lost", "node")


@test(parallel=True)
def an_image_that_cannot_be_pulled_is_told_with_its_name(s):
    image = "localhost:1/not/there:1"
    with s.template(replace(f"{HANDS}/image", image), replace(f"{BRAIN}/image", image)):
        name = launched(s, s.submit("image", model="scripted/lorem"))
    return never_begins(s, name, lambda pod: waiting_in(pod) & {"ErrImagePull", "ImagePullBackOff"}, "image-pull", image)


@test(parallel=True)
def an_agent_too_large_for_every_node_is_told_so(s):
    sizes = [replace(f"{HANDS}/resources/{kind}/memory", "500Gi") for kind in ("requests", "limits")]
    with s.template(*sizes):
        name = launched(s, s.submit("large", model="scripted/lorem"))

    def unschedulable(pod):
        return any(c.get("reason") == "Unschedulable" for c in pod["status"].get("conditions", []))

    return never_begins(s, name, unschedulable, "unschedulable", "memory")


@test(parallel=True)
def hands_that_fail_at_the_start_are_told_so(s):
    with s.template(replace(f"{HANDS}/args", ["hands", "--no-such-option"])):
        name = launched(s, s.submit("start", model="scripted/lorem"))

    def failing(pod):
        hands = pod["status"].get("initContainerStatuses", [{}])[0]
        return "terminated" in hands.get("state", {}) or "terminated" in hands.get("lastState", {})

    return never_begins(s, name, failing, "pod-start", "hands", "exit code 2")


@test(parallel=True)
def a_brain_that_exits_without_a_word_is_told_with_its_exit_code(s):
    with s.template(add(f"{BRAIN}/command", ["sh", "-c", "exit 3"])):
        name = launched(s, s.submit("code", model="scripted/lorem"))
    return ends(s, name, 90, "exited", "code 3")


@test(parallel=True)
def a_brain_that_takes_too_much_memory_is_told_so(s):
    with s.template(add(f"{BRAIN}/command", ["sh", "-c", "exec tail /dev/zero"])):
        name = launched(s, s.submit("brain", model="scripted/lorem"))
    return ends(s, name, 90, "out-of-memory", "brain", "memory")


# Those that take everything for themselves.

@test
def an_agent_beyond_the_quota_waits_with_the_reason_and_runs_when_there_is_room(s):
    with s.template():
        quota = "aideator-agents"
        before = s.kube.get("resourcequotas", quota)["spec"]["hard"]["pods"]
        s.kube.patch("resourcequotas", quota, {"spec": {"hard": {"pods": "0"}}})
        try:
            model = "scripted/lorem?chunks=10&rate=0"
            within(20, "the quota", lambda: s.kube.get("resourcequotas", quota)["status"]["hard"].get("pods") == "0")
            name = launched(s, s.submit("quota", model=model), "jobs")
            within(60, "Kubernetes to refuse the pod", lambda: [
                event for event in s.kube.list("events")
                if event["reason"] == "FailedCreate" and name in event["involvedObject"]["name"]])
            since = time.monotonic()
            reason = s.api.waits(name, "quota", TIMELY + SLACK)
            shown = soon(TIMELY, since, "the reason")
            assert "pods=0" in reason["message"], reason
        finally:
            s.kube.patch("resourcequotas", quota, {"spec": {"hard": {"pods": before}}})
        s.viewer(name).end(120)
        assert s.api.variation(name)["state"] == "succeeded"
    return f"shown {shown:.1f} s after: {reason['message']}"


@test
def what_happens_while_the_watcher_is_down_is_told_truly_when_it_is_back(s):
    watcher = "aideator-watcher"
    # Its Job is what tells it later, so it has to outlive the time without a watcher.
    stays = replace("/spec/ttlSecondsAfterFinished", 600)
    with s.template(stays):
        deleted = launched(s, s.command("down-pod", "echo begin; sleep 300"))
        memory = launched(s, s.command("down-memory", "echo begin; while [ ! -e go ]; do sleep 1; done; sleep 300"))
    pods = {name: s.running_pod(name, 90) for name in (deleted, memory)}
    with s.template(stays, add(f"{BRAIN}/command", ["sh", "-c", "sleep 300"])):
        late = launched(s, s.submit("down-deadline", model="scripted/lorem"))
        s.api.become(late, "starting", 60)
        s.kube.scale(watcher, 0)
        within(60, "the watcher to be gone", lambda: not s.kube.list("pods", component="watcher"))
    try:
        s.kube.delete("pods", pods[deleted])
        s.kubectl("-n", s.namespace, "exec", pods[memory], "-c", "hands", "--", "sh", "-c",
                  "while :; do sleep 300 & done", check=False)
        # As if it had been shorter from the beginning.
        s.kube.patch("pods", s.pod(late)["metadata"]["name"], {"spec": {"activeDeadlineSeconds": 3}})
        within(60, "the deleted pod to be over", lambda: over(s, deleted))
        within(90, "the hands' pod to be over", lambda: over(s, memory))
        within(60, "the pod with a deadline to be over", lambda: over(s, late))
    finally:
        s.kube.scale(watcher, 1)
        within(90, "the watcher", lambda: s.kube.rolled_out("deployments", watcher))
    since = time.monotonic()
    try:
        ends_now = [s.api.become(deleted, "failed", TIMELY + SLACK), s.api.become(memory, "failed", TIMELY + SLACK),
                    s.api.become(late, "timed_out", TIMELY + SLACK)]
        took = soon(TIMELY, since, "the end")
    finally:
        for job in [job for name in (deleted, memory, late) for job in s.kube.list("jobs", run=name)]:
            s.kube.delete("jobs", job["metadata"]["name"])
    said = [reads(ends_now[0], "pod-deleted", "pod"), reads(ends_now[1], "out-of-memory", "hands"),
            reads(ends_now[2], "deadline", "deadline")]
    return f"{took:.1f} s after: {'; '.join(said)}"
