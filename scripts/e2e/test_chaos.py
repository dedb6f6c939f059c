"""Many runs while everything is killed at random."""

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


class Killer:
    """Kills a random pod every few seconds: services soon or at once, agents too, and remembers whose."""

    def __init__(self, s, runs, seed):
        self.s, self.runs = s, runs
        self.random = random.Random(seed)
        self.counts, self.agents, self.over = {}, set(), threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.over.wait(self.random.uniform(1, 3)):
            kind = self.random.choices(["edge", "submitter", "watcher", "nats", "agent"], [3, 2, 2, 1, 4])[0]
            try:
                pods = [pod for pod in self.s.kube.list("pods", component=kind)
                        if pod["status"].get("phase") in ("Running", "Pending") and "deletionTimestamp" not in pod["metadata"]]
                if not pods:
                    continue
                pod = self.random.choice(pods)["metadata"]
                if kind == "agent":
                    labels = pod["labels"]
                    if labels["aideator.dev/run"] not in self.runs:
                        continue
                    self.agents.add((labels["aideator.dev/run"], int(labels["aideator.dev/variation"])))
                self.s.kube.delete("pods", pod["name"], grace=self.random.choice([0, 1, None]))
                self.counts[kind] = self.counts.get(kind, 0) + 1
            except (OSError, Refused):
                continue


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
        killer.over.set()
        killer.thread.join(30)
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
