"""What every test stands on: a namespace with AIdeator in it, installed as its NOTES say, and ways into it."""

import contextlib
import json
import os
import secrets
import shutil
import tempfile
import threading
import time
from pathlib import Path

import git_server
from api import Api, Viewer
from kube import Door, Kube, kubectl, run
from waiting import within

ROOT = Path(__file__).resolve().parents[2]
CHART = str(ROOT / "charts" / "aideator")
RELEASE = "aideator"
MARK = "aideator.dev/e2e"
MIB = 1024 * 1024

# Small enough for a cluster of one small node, and to reach every limit soon.
VALUES = {
    "image": {"registry": os.environ.get("E2E_REGISTRY", os.environ.get("REGISTRY", "")), "tag": os.environ.get("TAG", "")},
    "startAllowanceSeconds": 60,
    "nats": {"persistence": {"retain": False, "size": "8Gi"}},
    "watcher": {"persistence": {"size": "4Gi"}},
    "edge": {"replicas": 2, "autoscaling": {"enabled": False}, "preStopSeconds": 1, "drainSeconds": 5},
    "submitter": {"model": "scripted/lorem", "allowExec": True, "running": 20},
    "agents": {
        "ttlSecondsAfterFinished": 20,
        "brain": {"resources": {"requests": {"cpu": "10m", "memory": "32Mi"}}},
        "hands": {
            "workspaceSize": "64Mi",
            "resources": {"requests": {"cpu": "10m", "memory": "64Mi", "ephemeral-storage": "64Mi"},
                          "limits": {"memory": "128Mi", "ephemeral-storage": "2Gi"}},
        },
        # Room for one that no node has room for.
        "quota": {"hard": {"requests.memory": "1Ti", "limits.memory": "2Ti"}},
    },
}


class Stage:
    def __init__(self, namespace=None):
        self.namespace = namespace or os.environ.get("E2E_NAMESPACE", "aideator-e2e")
        self.program = os.environ["AIDEATOR"]
        self.folder = Path(tempfile.mkdtemp(prefix="aideator-e2e-"))
        self.keys = str(self.folder / "keys.yaml")
        self.kube = Kube(self.namespace)
        self.key = "sk-e2e-" + secrets.token_hex(24)
        self.secret = secrets.token_hex(32)
        self.number, self.counting = 0, threading.Lock()
        self.turns, self.original = Turns(), None
        self.edges = self.nats = self.api = None
        self.git_host = f"git.{self.namespace}.svc:8080"
        self.repository = f"http://{self.git_host}/answer.git"

    # Installing.

    def install(self, **values):
        """Installs VALUES, with these on top."""
        self.clean_up_before()
        ns = self.namespace
        kubectl("create", "namespace", ns)
        kubectl("label", "namespace", ns, f"{MARK}=true", "pod-security.kubernetes.io/enforce=restricted")
        kubectl("-n", ns, "create", "secret", "generic", "openai-secret", f"--from-literal=api-key={self.key}")
        kubectl("-n", ns, "create", "secret", "generic", "aideator-secret", f"--from-literal=secret-key={self.secret}")
        self.write_keys()
        files = self.values("values", VALUES) + self.values("more", values)
        self.installing = time.monotonic()
        run(["helm", "install", RELEASE, CHART, "-n", ns, *files, "-f", self.keys])
        self.token = self.aideator("token", "new", "--name", "e2e", "--scope", "admin", "--expires", "1d").strip()
        self.edges, self.nats = Door(self.kube, "edge", 7780), Door(self.kube, "nats", 4222)
        self.api = Api(self.edges, self.token)

    def write_keys(self):
        """What helm is given of the keys as they are now."""
        Path(self.keys).write_text(self.aideator("nats", "bootstrap", "--keys", str(self.folder / "keys")))

    def values(self, name, values):
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(values))
        return ["-f", str(path)]

    def upgrade(self, **values):
        """The same release with the keys as they are now and these values on top of those it has."""
        run(["helm", "upgrade", RELEASE, CHART, "-n", self.namespace, "--reset-then-reuse-values", "-f", self.keys,
             *self.values("more", values)])
        self.settled()

    def with_repositories(self):
        ports = [{"port": 8080, "protocol": "TCP"}]
        peer = [{"podSelector": {"matchLabels": {"app": "git"}}}]
        self.upgrade(submitter={"trustedHosts": [self.git_host]},
                     networkPolicy={"repositories": [{"to": peer, "ports": ports}]})

    def start_git_server(self):
        if not self.kube.get("deployments", "git"):
            agent = self.kube.get("configmaps", f"{RELEASE}-agent-job")["data"]["agent-job.yaml"]
            image = next(line.split()[1] for line in agent.splitlines() if line.strip().startswith("image:"))
            objects = {"apiVersion": "v1", "kind": "List", "items": git_server.manifests(image)}
            kubectl("-n", self.namespace, "apply", "-f", "-", text=json.dumps(objects))
        within(60, "the git server", lambda: self.kube.rolled_out("deployments", "git"))

    def settled(self, seconds=180):
        """Every service is there as it was last told."""
        parts = [("deployments", f"{RELEASE}-{name}") for name in ("edge", "submitter", "watcher")]
        parts.append(("statefulsets", f"{RELEASE}-nats"))
        within(seconds, lambda: f"the services:\n{self.pods()}",
               lambda: all(self.kube.rolled_out(*part) for part in parts))

    def pods(self):
        return kubectl("-n", self.namespace, "get", "pods", "-o", "wide", check=False).stdout

    # Taking away.

    def clean_up_before(self):
        there = kubectl("get", "namespace", self.namespace, "--ignore-not-found", "-o", "json")
        if not there:
            return
        assert json.loads(there)["metadata"].get("labels", {}).get(MARK), \
            f"the namespace {self.namespace} is there and not from here; name another: E2E_NAMESPACE=…"
        print(f"the namespace {self.namespace} is left from before: deleting it", flush=True)
        kubectl("delete", "namespace", self.namespace, "--timeout=120s")

    def leave(self):
        for door in (self.edges, self.nats):
            if door:
                door.close()
        if not os.environ.get("KEEP"):
            kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=120s", check=False)
            shutil.rmtree(self.folder)
        else:
            print(f"kept: namespace {self.namespace}, keys in {self.folder}")
        self.kube.close()

    # Ways in.

    def environment(self):
        """Of the command `aideator`: nothing of whoever runs this."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return kept | {"AIDEATOR_SECRET": self.secret, "AIDEATOR_DATA_DIR": str(self.folder / "data"), "NO_COLOR": "1"}

    def aideator(self, *arguments, check=True, text=None, server=False):
        environment = self.environment()
        if server:
            environment |= {"AIDEATOR_SERVER": f"http://127.0.0.1:{self.edges.any()}", "AIDEATOR_TOKEN": self.token}
        return run([self.program, *arguments], text, check, env=environment)

    def by_nats(self, verb, *arguments, creds=None, check=True):
        creds = creds or self.folder / "keys" / "client.creds"
        where = ["--nats", f"nats://127.0.0.1:{self.nats.any()}", "--creds", str(creds)]
        return self.aideator("nats", verb, *where, *arguments, check=check)

    scripted_texts = {}

    def scripted(self, model):
        if model not in self.scripted_texts:
            self.scripted_texts[model] = self.aideator("scripted", model)
        return self.scripted_texts[model]

    def name(self, word):
        with self.counting:
            self.number += 1
            return f"{word}-{self.number}"

    def submit(self, word, prompt="What is an idea?", **request):
        """Starts a run by HTTP; its name."""
        name = self.name(word)
        self.api.json("POST", "/api/v1/runs", {"run_id": name, "prompt": prompt, **request})
        return name

    def command(self, word, shell, **request):
        """Starts a run that is a shell command in the hands."""
        return self.submit(word, shell, mode="exec", **request)

    def viewer(self, name):
        return Viewer(self.api, name).start()

    def pod(self, name, seconds=40, variation=0):
        """The pod of a run's variation, once it is there."""
        def there():
            pods = self.kube.list("pods", run=name, variation=variation, component="agent")
            return pods[0] if pods else None
        return within(seconds, lambda: f"a pod of {name}: {self.api.variation(name, variation)}\n{self.pods()}", there)

    def running_pod(self, name, seconds=60):
        """The pod of a run whose brain runs."""
        self.api.become(name, "running", seconds)
        return self.pod(name)["metadata"]["name"]

    @contextlib.contextmanager
    def template(self, *changes):
        """The submitter makes Jobs with these changes (JSON patch) to its template. Who is inside has it alone."""
        with self.turns.turn(list(changes)) as is_another:
            if is_another:
                self.change_template(changes)
            yield

    def change_template(self, changes):
        name = f"{RELEASE}-agent-job"
        if self.original is None:
            self.original = self.kube.get("configmaps", name)["data"]["agent-job.yaml"]
        text = self.original
        if changes:
            text = kubectl("patch", "--local", "-f", "-", "--type=json", "-o", "json", "-p", json.dumps(changes),
                           text=text.replace("metadata:\n", "metadata:\n  name: x\n", 1))
        self.kube.patch("configmaps", name, {"data": {"agent-job.yaml": text}})
        self.kube.restart(f"{RELEASE}-submitter")
        within(60, "the submitter", lambda: self.kube.rolled_out("deployments", f"{RELEASE}-submitter"))


class Turns:
    """One at a time; those who want it as it is go before those who change it, else who came first."""

    def __init__(self):
        self.now, self.waiting, self.taken = [], [], False
        self.changed = threading.Condition()

    @contextlib.contextmanager
    def turn(self, wanted):
        """Gives whether it has to be changed."""
        ticket = (wanted, object())
        with self.changed:
            self.waiting.append(ticket)
            self.changed.wait_for(lambda: not self.taken and self.next() is ticket)
            self.waiting.remove(ticket)
            self.taken = True
        try:
            is_another = wanted != self.now
            # What fails half way is changed again by who comes next.
            self.now = None if is_another else wanted
            yield is_another
            self.now = wanted
        finally:
            with self.changed:
                self.taken = False
                self.changed.notify_all()

    def next(self):
        return next((t for t in self.waiting if t[0] == self.now), self.waiting[0])
