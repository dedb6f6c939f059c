"""What AIdeator costs and how fast it is on a real cluster: `make bench-cluster`, against the current kubeconfig.

  python3 bench/cluster.py                      installs a release of its own, measures it, takes it away again
  python3 bench/cluster.py NAMESPACE RELEASE    measures an installed one (AIDEATOR_TOKEN: a token that may admin)

Its table goes into bench/RESULTS.md under "On a cluster"; the rest of that file stays as it is. It needs kubectl, helm and the
command `aideator` (AIDEATOR, or what `make build` built), and the images in the cluster, or in REGISTRY
(`make images`), which is E2E_REGISTRY where nodes call it otherwise.
"""

import argparse
import http.client
import json
import math
import os
import re
import statistics
import sys
import threading
import time
import urllib.parse
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts" / "e2e"))
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
os.environ.setdefault("AIDEATOR", str(TARGET / "debug" / "aideator"))
os.environ.setdefault("E2E_NAMESPACE", "aideator-bench")

import stage  # noqa: E402
from api import Api, Viewer  # noqa: E402
from kube import Door, Kube, Refused  # noqa: E402
from waiting import within  # noqa: E402

HEADING = "## On a cluster"
SERVICES = ("edge", "submitter", "watcher", "nats")
BRIEF = "scripted/lorem?chunks=1"  # says little, so that an agent's pod is nearly all there is to a run
VARIATIONS = 5


class Jobs:
    """When each agent's Job came to be and was over, by the lines of a watch: creationTimestamp has whole seconds."""

    def __init__(self, kube, release):
        labels = {"app.kubernetes.io/component": "agent", "app.kubernetes.io/instance": release}
        selector = urllib.parse.quote(",".join(f"{key}={value}" for key, value in labels.items()))
        path = f"{kube.path('jobs')}?labelSelector={selector}"
        version = kube.call("GET", path)["metadata"]["resourceVersion"]
        self.made, self.over = {}, {}
        connection = http.client.HTTPConnection("127.0.0.1", kube.port)
        connection.request("GET", f"{path}&watch=1&timeoutSeconds=7200&resourceVersion={version}")
        threading.Thread(target=self.read, args=(connection.getresponse(),), daemon=True).start()

    def read(self, lines):
        while line := lines.readline():
            now, event = time.monotonic(), json.loads(line)
            name = event["object"]["metadata"]["name"]
            conditions = event["object"]["status"].get("conditions", [])
            if event["type"] == "ADDED":
                self.made.setdefault(name, now)
            if event["type"] == "DELETED" or any(c["type"] in ("Complete", "Failed") for c in conditions):
                self.over.setdefault(name, now)

    def of(self, runs):
        """When the Jobs of these runs came to be, in that order."""
        return sorted(at for name, at in self.made.copy().items() if run_of(name) in runs)

    def taken(self, runs, begin, end):
        """How many Jobs of these runs there were at once, in the mean between two times."""
        spans = ((at, self.over.get(name, end)) for name, at in self.made.copy().items() if run_of(name) in runs)
        return sum(max(0, min(last, end) - max(first, begin)) for first, last in spans) / max(end - begin, 1e-9)


def run_of(job):
    return job.removeprefix("agent-").rsplit("-", 2)[0]


class Memory:
    """What the pods of each service hold, as the kubelets see it (working set); of several pods and looks, the most."""

    def __init__(self, kube, release):
        self.kube, self.release = kube, release

    def look(self, since=""):
        """Bytes by service; None while a kubelet still shows what was before `since`."""
        parts = {pod["metadata"]["name"]: pod["metadata"]["labels"]["app.kubernetes.io/component"]
                 for pod in self.kube.list("pods", instance=self.release)}
        most = {}
        for node in nodes(self.kube):
            name = node["metadata"]["name"]
            for pod in self.kube.call("GET", f"/api/v1/nodes/{name}/proxy/stats/summary")["pods"]:
                part = parts.get(pod["podRef"]["name"]) if pod["podRef"]["namespace"] == self.kube.namespace else None
                if part not in SERVICES:
                    continue
                memory = [container["memory"] for container in pod.get("containers", [])]
                if not memory or any(it["time"] < since for it in memory):
                    return None
                most[part] = max(most.get(part, 0), sum(it["workingSetBytes"] for it in memory))
        return most if len(most) == len(SERVICES) else None

    def now(self):
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return within(90, "fresh figures of the kubelets", lambda: self.look(since), 2)

    def during(self, work):
        """The most each service held while `work` was done."""
        most, done = {}, threading.Event()

        def watch():
            while not done.wait(3):
                try:
                    for part, size in (self.look() or {}).items():
                        most[part] = max(most.get(part, 0), size)
                except (OSError, Refused):
                    continue  # The next look may go better.

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            work()
        finally:
            done.set()
            thread.join()
        return most


class Bench:
    def __init__(self, kube, api, release):
        self.kube, self.api, self.release = kube, api, release
        self.jobs, self.memory = Jobs(kube, release), Memory(kube, release)
        self.rows = []
        self.word = f"bench{int(time.time())}"

    def row(self, what, figure, bar="–"):
        print(f"{what}: {figure}", flush=True)
        self.rows.append(f"| {what} | {figure} | {bar} |")

    def submit(self, name, variations, model=BRIEF):
        self.api.json("POST", "/api/v1/runs",
                      {"run_id": name, "prompt": "bench", "variations": variations, "model": model})

    def requests(self, count):
        to_job, to_token, to_claim, viewers = [], [], [], []
        for at in range(count):
            name = f"{self.word}-r{at}"
            began, asked = time.monotonic(), time.time()
            self.submit(name, 1)
            viewer = Viewer(self.api, name).start()
            within(120, f"a token of {name}", lambda: viewer.first, 0.05)  # noqa: B023
            viewers.append((asked, viewer))
            to_token.append(viewer.first - began)
            to_job += [made - began for made in within(10, f"the Job of {name}", lambda: self.jobs.of({name}))]  # noqa: B023
        for asked, viewer in viewers:
            # By the node's clock, in whole milliseconds.
            startup = viewer.end(60).state["summary"]["variations"][0]["startup"]
            to_claim.append(startup["ready"] / 1000 - asked)
        self.row("request to Job created",
                 spread(to_job, f"{count} runs, each asked for when the one before spoke; as a watch sees it"))
        self.row("request to first token on the viewer's socket, a pod of its own each",
                 spread(to_token, f"{count} runs, each asked for when the one before spoke"))
        self.row("request to the attempt claimed by its agent", spread(to_claim, "the same runs"))

    def queue(self, runs, word):
        """The runs' names, and when the first was asked for."""
        names, began = {f"{self.word}-{word}{at}" for at in range(runs)}, time.monotonic()
        for name in sorted(names):
            self.submit(name, VARIATIONS)
        return names, began

    def made(self, names, seconds):
        """When their Jobs came to be: of all, or of those that did in this time."""
        count, end = len(names) * VARIATIONS, time.monotonic() + seconds
        return within(seconds + 60, f"{count} Jobs", lambda: (len(self.jobs.of(names)) == count or time.monotonic() > end)
                      and self.jobs.of(names))

    def over(self, names):
        """Cancels what is left and awaits that no Job is."""
        for name in names:
            self.api.json("POST", f"/api/v1/runs/{name}/cancel", {}, expect=(200, 202, 409))
        within(600, "the Jobs to be over", lambda: all(
            name in self.jobs.over for name in self.jobs.made.copy() if run_of(name) in names), 1)

    def load(self, runs, seconds):
        places = self.places()
        names = set()

        def work():
            nonlocal names
            names, began = self.queue(runs, "q")
            queued = time.monotonic() - began
            made = self.made(names, seconds)
            took = made[-1] - made[0]
            taken = self.jobs.taken(names, made[places - 1], made[-1])
            self.row(f"Jobs made, {len(names) * VARIATIONS} variations queued, at most {places} running",
                     f"{(len(made) - 1) / took:.2f} a second, {len(made)} in {took:.0f} s (asked for within {queued:.1f} s; "
                     f"{taken:.1f} Jobs at once in the mean: a place is free once an agent is done, and its Job is over later)")
            self.row(f"the first {places} of them", f"{(places - 1) / (made[places - 1] - made[0]):.1f} a second")

        most = self.memory.during(work)
        self.over(names)
        return most

    def nowhere(self, runs, seconds):
        """With agents that no node takes, Jobs are all there is to do."""
        names, _ = self.queue(runs, "n")
        made = self.made(names, seconds)
        took = made[-1] - made[0]
        self.row(f"Jobs made, {len(names) * VARIATIONS} variations queued, all allowed to run, no node that takes their pods",
                 f"{(len(made) - 1) / took:.1f} a second, {len(made)} in {took:.1f} s")

    def places(self):
        """How many variations may run at once."""
        spec = self.kube.get("deployments", f"{self.release}-submitter")["spec"]["template"]["spec"]
        env = {it["name"]: it.get("value") for it in spec["containers"][0]["env"]}
        return min(int(env["AIDEATOR_RUNNING"]), int(env["AIDEATOR_RUNNING_PER_REQUESTER"]))

    def images(self, built):
        beyond = dict(re.findall(r"aideator/(\w+):\S+\s+([\d.]+) MB beyond", built.read_text())) if built else {}
        sizes = {}
        for node in nodes(self.kube):
            for image in node["status"].get("images", []):
                match = re.search(r"(?:^|/)aideator/(\w+):", " ".join(image.get("names") or []))
                if match:
                    sizes[match[1]] = image["sizeBytes"]
        for part in (*SERVICES, "agent"):
            said = [f"{beyond[part]} MB beyond the base"] if part in beyond else []
            said += [f"{sizes[part] / 1e6:.1f} MB in all"] if part in sizes else []
            if said:
                most = "< 150 MB" if part == "agent" else "< 60 MB"
                self.row(f"image of {part}", ", ".join(said), f"{most} beyond the base")


def nodes(kube):
    """Those with a kubelet behind them."""
    return [node for node in kube.call("GET", "/api/v1/nodes")["items"] if "capacity" in node["status"]]


def spread(seconds, what):
    seconds = sorted(seconds)
    p50, p99 = (seconds[math.ceil(len(seconds) * share) - 1] for share in (0.5, 0.99))
    return f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms ({what})"


def machine(kube, note):
    """Where this was measured."""
    there = nodes(kube)
    infos, capacities = [it["status"]["nodeInfo"] for it in there], [it["status"]["capacity"] for it in there]
    boot = Path("/proc/sys/kernel/random/boot_id")
    here = boot.exists() and any(info["bootID"] == boot.read_text().strip() for info in infos)
    count = "one node" if len(there) == 1 else f"{len(there)} nodes; one of them"
    memory = int(capacities[0]["memory"].removesuffix("Ki")) / 1024
    where = "Cluster, services, agents and client share that machine" if here else "The client is on another machine"
    return (f"Made by `make bench-cluster` on Kubernetes {infos[0]['kubeletVersion']}: {count} with "
            f"{capacities[0]['cpu']} cores and {memory:.1f} MiB of memory. {where}; "
            f"the client reaches the edges by `kubectl port-forward`. "
            f"Memory is the working set of one pod.{' ' + note if note else ''}")


def put(text, section):
    """The results with this section instead of an older one."""
    before, heading, after = text.partition(f"\n{HEADING}\n")
    _, another, rest = after.partition("\n## ") if heading else ("", "", "")
    return f"{before.rstrip()}\n\n{section}{another and another + rest}"


def measure(bench, options, own=None):
    if own:
        name = f"{bench.word}-first"
        bench.submit(name, VARIATIONS, "scripted/lorem?chunks=40&rate=20")
        viewer = Viewer(bench.api, name).start()
        within(180, "the first token", lambda: viewer.first, 0.05)
        bench.row("`helm install` to the first token of a run of 5 variations",
                  f"{viewer.first - own.installing:.1f} s", "< 60 s")
        viewer.end(120)
        own.settled()
    rest = bench.memory.now()
    bench.requests(options.requests)
    loaded = bench.load(options.runs, options.seconds)
    for part in SERVICES:
        bench.row(f"memory of {part}, at rest; the most under that load", f"{mib(rest[part])}; {mib(loaded[part])}")
    if own:
        own.upgrade(submitter={"running": 10_000, "runningPerRequester": 10_000},
                    agents={"nodeSelector": {"aideator.dev/no-such-node": "true"}, "quota": {"enabled": False}})
        bench.nowhere(options.runs, options.seconds)
    bench.images(options.images)


def mib(size):
    return f"{size / 2**20:.1f} MiB"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("namespace", nargs="?")
    parser.add_argument("release", nargs="?", default=stage.RELEASE)
    parser.add_argument("--requests", type=int, default=60, help="measured one after another")
    parser.add_argument("--runs", type=int, default=100, help="of 5 variations, queued at once")
    parser.add_argument("--seconds", type=int, default=900, help="for which those are measured, at most")
    parser.add_argument("--images", type=Path, metavar="FILE", help="what `make images` printed: sizes beyond the base")
    parser.add_argument("--without-volumes", action="store_true", help="the own release keeps nothing: few volumes are left")
    parser.add_argument("--note", default="", help="a sentence about what else the machine did")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "RESULTS.md")
    options = parser.parse_args()
    if options.namespace:
        kube = Kube(options.namespace)
        edges = Door(kube, "edge", 7780)
        try:
            bench = Bench(kube, Api(edges, os.environ["AIDEATOR_TOKEN"]), options.release)
            measure(bench, options)
            written(bench, options)
        finally:
            edges.close()
            kube.close()
        return
    if options.without_volumes:
        for part in ("nats", "watcher"):
            stage.VALUES[part]["persistence"] = {"enabled": False}
    own = stage.Stage()
    try:
        own.install()
        bench = Bench(own.kube, own.api, stage.RELEASE)
        measure(bench, options, own)
        written(bench, options)
    finally:
        own.leave()


def written(bench, options):
    table = "\n".join(["| what | figure | bar |", "|---|---|---|", *bench.rows])
    section = f"{HEADING}\n\n{machine(bench.kube, options.note)}\n\n{table}\n"
    options.out.write_text(put(options.out.read_text() if options.out.exists() else "# Results\n", section))


if __name__ == "__main__":
    main()
