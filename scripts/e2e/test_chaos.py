"""Many runs while everything is killed at random."""

import http.client
import os
import random
import threading
import time

from cases import test
from kube import Refused
from waiting import same, within

RUNS = int(os.environ.get("E2E_RUNS", "20"))
VARIATIONS = 5
# How one whose pod was deleted may be told truly: by what the watcher saw of its pod, or could still see of its Job.
TRUE = ("pod-deleted", "job-deleted")
FINAL = ("succeeded", "failed", "cancelled", "timed_out")


def model(run, variation):
    return f"scripted/lorem?chunks=120&rate=12&seed={run * VARIATIONS + variation + 1}"


# What is killed, and how often of each other.
KINDS = {"edge": 3, "submitter": 2, "watcher": 2, "nats": 1, "agent": 4}


class Killer:
    """Kills a pod every few seconds, soon or at once: one of each kind, then at random. It remembers whose agents."""

    def __init__(self, s, runs, seed):
        self.s, self.runs = s, runs
        self.random = random.Random(seed)
        self.counts, self.agents, self.over = {}, set(), threading.Event()
        self.fault = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.over.wait(self.random.uniform(1, 3)):
            missing = [kind for kind in KINDS if kind not in self.counts]
            try:
                self.kill(self.random.choice(missing) if missing else self.random.choices(*zip(*KINDS.items()))[0])
            except (OSError, http.client.HTTPException, Refused):
                continue  # The API server may be busy; the next one may go better.
            except Exception as fault:  # noqa: BLE001
                self.fault = fault
                return

    def kill(self, kind):
        pods = [pod for pod in self.s.kube.list("pods", component=kind)
                if pod["status"].get("phase") in ("Running", "Pending") and "deletionTimestamp" not in pod["metadata"]
                and (kind != "agent" or pod["metadata"]["labels"]["aideator.dev/run"] in self.runs)]
        if not pods:
            return
        pod = self.random.choice(pods)["metadata"]
        if kind == "agent":
            self.agents.add((pod["labels"]["aideator.dev/run"], int(pod["labels"]["aideator.dev/variation"])))
        if self.s.kube.delete("pods", pod["name"], grace=self.random.choice([0, 1, None])):
            self.counts[kind] = self.counts.get(kind, 0) + 1

    def end(self):
        self.over.set()
        self.thread.join(90)

    def has_done_its_work(self):
        if self.fault:
            raise self.fault
        assert not self.thread.is_alive() and self.counts.keys() == KINDS.keys(), f"killed: {self.counts}"


@test
def through_random_kills_of_everything_surviving_texts_are_whole_and_killed_ones_end_truthfully(s):
    seed = int(os.environ.get("E2E_SEED", random.randrange(10**6)))
    names = [s.name("chaos") for _ in range(RUNS)]
    killer = Killer(s, set(names), seed)
    for at, name in enumerate(names):
        variations = [{"model": model(at, v)} for v in range(VARIATIONS)]
        s.api.json("POST", "/api/v1/runs", {"run_id": name, "prompt": f"run {at}", "variations": variations})
        if at == 1:
            killer.thread.start()
    viewers = {name: s.viewer(name) for name in names[::5]}
    views = {}

    def all_over():
        for name in names:
            if name not in views:
                view = s.api.run(name)
                if view["summary"]["status"] == "finished":
                    views[name] = view
        return len(views) == RUNS

    began = time.monotonic()
    try:
        within(480, lambda: f"all runs to end (seed {seed}, {len(views)} did)\n{s.pods()}", all_over, 2)
        took = time.monotonic() - began
    finally:
        killer.end()
    killer.has_done_its_work()
    s.settled()
    counts = {}
    for at, name in enumerate(names):
        viewer = viewers.get(name) or s.viewer(name)
        viewer.end(60)
        for v, now in enumerate(viewer.state["summary"]["variations"]):
            where = f"{name}/{v} (seed {seed})"
            how = " ".join([now["state"], (now.get("reason") or {}).get("code", "")]).strip()
            counts[how] = counts.get(how, 0) + 1
            assert now["state"] in FINAL, f"{where}: {now}"
            whole, text = s.scripted(model(at, v)), viewer.text(v)
            if now["state"] == "succeeded":
                same(text, whole, where)
            else:
                assert whole.startswith(text), f"{where}: what a killed one said is no beginning of its text"
                assert now.get("reason"), f"{where}: no reason"
                assert (name, v) in killer.agents, f"{where} was not killed: {now}"
                assert now["reason"]["code"] in TRUE, f"{where}: killed, and told otherwise: {now}"
    s.gone(names, 90)
    kills = ", ".join(f"{count} {kind}" for kind, count in sorted(killer.counts.items()))
    return f"{counts} in {took:.0f} s; killed: {kills}; seed {seed}"
