"""End to end on a real cluster: `make e2e`, against the current kubeconfig.

  python3 scripts/e2e                builds the images, installs the chart, runs every test, takes all of it away again
  ONLY=WORD,… python3 scripts/e2e    those tests whose name holds one of these words
  python3 scripts/e2e --list         their names

It needs kubectl and helm, and the command `aideator` (`make build`). By environment:
  E2E_IMAGES=prebuilt      the images are in the cluster, or in a registry, already
  REGISTRY, TAG, ENGINE, PUSH, IMAGE_BUILDER    as scripts/build-images says
  E2E_REGISTRY             that registry as nodes have to call it, where that is not REGISTRY
  E2E_NAMESPACE            instead of aideator-e2e
  E2E_LONG=1               the long tests too
  E2E_SEED, E2E_RUNS       of the test that kills everything at random
  KEEP=1                   leave the namespace to be looked at

How the images come into the cluster:
  kind, k3d                by themselves: without PUSH what is built is loaded into the nodes
  scripts/dev-cluster      as above, or by its registry: REGISTRY=localhost:5005 PUSH=1 E2E_REGISTRY=aideator-registry:5005
  any other                REGISTRY=registry.example.com PUSH=1 TAG=… (nodes keep what they pulled: another TAG each time)
"""

import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True

import kube  # noqa: E402
import stage  # noqa: E402
from cases import TESTS  # noqa: E402
from waiting import within  # noqa: E402

# In this order: those that stand alone, those that wait side by side, those that break things.
import test_runs  # noqa: E402, F401, I001
import test_network  # noqa: E402, F401
import test_repository  # noqa: E402, F401
import test_credentials  # noqa: E402, F401
import test_chart  # noqa: E402, F401
import test_causes  # noqa: E402, F401
import test_edges  # noqa: E402, F401
import test_chaos  # noqa: E402, F401
import test_keys  # noqa: E402, F401
import test_replicas  # noqa: E402, F401

IMAGES = ("edge", "submitter", "watcher", "agent", "nats")
OURS = ("jobs", "pods", "secrets", "persistentvolumeclaims", "configmaps", "services", "deployments", "statefulsets",
        "networkpolicies", "resourcequotas", "limitranges", "serviceaccounts")


class Stage(stage.Stage):
    """What tests use of a stage beside its own."""

    def __init__(self):
        super().__init__()
        self.to_check = []

    kubectl = staticmethod(kube.kubectl)

    def later(self, name, check):
        """A check that has to wait for long: it is made when everything else is done."""
        self.to_check.append((name, check))

    def gone(self, runs, seconds):
        """Nothing of these runs is left in Kubernetes."""
        def left():
            return [f"{kind}/{it['metadata']['name']}" for kind in ("jobs", "secrets", "pods")
                    for it in self.kube.list(kind, component="agent")
                    if it["metadata"]["labels"].get("aideator.dev/run") in runs]
        within(seconds, lambda: f"nothing to be left: {left()}", lambda: not left(), 1)


class Results:
    def __init__(self):
        self.passed, self.failed = 0, []

    def run(self, s, name, function):
        began = time.monotonic()
        try:
            said = function(s)
        except Exception as error:  # noqa: BLE001
            print(f"FAILED ({time.monotonic() - began:5.1f} s) {name}\n    {indented(error)}", flush=True)
            self.failed.append(name)
            return
        self.passed += 1
        print(f"ok     ({time.monotonic() - began:5.1f} s) {name}{f' [{said}]' if isinstance(said, str) else ''}", flush=True)


def indented(error):
    text = str(error) if isinstance(error, AssertionError) else "".join(traceback.format_exception(error))
    where = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
    return f"{text.rstrip()}\n({' > '.join(where)})".replace("\n", "\n    ")


def chosen():
    words = [word.strip().lower() for word in os.environ.get("ONLY", "").split(",") if word.strip()]
    if words:
        return [t for t in TESTS if any(word in t.name.lower() for word in words)]
    return [t for t in TESTS if not t.long or os.environ.get("E2E_LONG")]


def run_tests(s, results, tests):
    while tests:
        test = tests.pop(0)
        if not test.parallel:
            results.run(s, test.name, test.function)
            template_is_back(s)
            continue
        group = [test]
        while tests and tests[0].parallel:
            group.append(tests.pop(0))
        with concurrent.futures.ThreadPoolExecutor(len(group)) as pool:
            for one in group:
                pool.submit(results.run, s, one.name, one.function)
        template_is_back(s)


def template_is_back(s):
    """Also after a test that failed half way."""
    if s.turns.now != []:
        with s.template():
            pass


def taken_away(s):
    """Uninstalls and finds nothing left behind."""
    run = s.submit("left", model="scripted/lorem?chunks=4000&rate=20")
    s.api.become(run, "running", 90)
    s.api.json("POST", f"/api/v1/runs/{run}/cancel", {})
    s.api.become(run, "cancelled", 60)
    everything = lambda: [f"{kind}/{it['metadata']['name']}" for kind in OURS  # noqa: E731
                          for it in s.kube.list(kind, instance=stage.RELEASE)]
    s.gone([run], 120)
    # Those that run end with everything else.
    s.api.become(s.submit("orphan", model="scripted/lorem?chunks=4000&rate=20"), "running", 90)
    kube.run(["helm", "uninstall", stage.RELEASE, "-n", s.namespace, "--wait", "--timeout", "3m"])
    within(90, lambda: f"nothing to be left: {everything()}", lambda: not everything(), 1)
    secrets = {it["metadata"]["name"] for it in s.kube.list("secrets")} - {"openai-secret", "aideator-secret"}
    assert not secrets, f"Secrets are left: {secrets}"


def tell(s):
    """What a person needs who looks for the fault."""
    print("\n" + s.pods(), flush=True)
    for part in ("submitter", "watcher"):
        logs = s.kubectl("-n", s.namespace, "logs", f"deployment/aideator-{part}", "--tail=25", check=False)
        print(f"--- {part}\n{logs.stdout}{logs.stderr}", flush=True)


def prepare():
    for tool in ("kubectl", "helm"):
        if not shutil.which(tool):
            sys.exit(f"e2e: {tool} is missing; install it")
    if subprocess.run(["kubectl", "get", "--raw", "/readyz"], capture_output=True).returncode:
        sys.exit("e2e: no cluster answers; start one (scripts/dev-cluster up), or point KUBECONFIG at yours")
    target = os.environ.get("CARGO_TARGET_DIR", stage.ROOT / "target")
    os.environ.setdefault("AIDEATOR", str(Path(target) / "debug" / "aideator"))
    if not Path(os.environ["AIDEATOR"]).exists():
        sys.exit(f"e2e: {os.environ['AIDEATOR']} is missing; build it: make build")
    if os.environ.get("E2E_IMAGES") != "prebuilt":
        subprocess.run([str(stage.ROOT / "scripts" / "build-images")], check=True)
        load_images()


def load_images():
    """From the engine of this machine into the nodes of a cluster that is containers of it."""
    context = subprocess.run(["kubectl", "config", "current-context"], capture_output=True, text=True).stdout.strip()
    tool, _, cluster = context.partition("-")
    load = {"kind": ["kind", "load", "docker-image", "--name"], "k3d": ["k3d", "image", "import", "--cluster"]}.get(tool)
    if not load or os.environ.get("PUSH") or os.environ.get("IMAGE_BUILDER"):
        return
    registry = os.environ.get("REGISTRY", "").rstrip("/")
    version = re.search(r'^appVersion: "?([^"\n]+)', (Path(stage.CHART) / "Chart.yaml").read_text(), re.M)[1]
    tag = os.environ.get("TAG") or version
    images = [f"{registry and registry + '/'}aideator/{name}:{tag}" for name in IMAGES]
    subprocess.run([*load, cluster, *images], check=True)


def main():
    if "--list" in sys.argv:
        print("\n".join(test.name for test in TESTS))
        return
    if len(sys.argv) > 1:
        sys.exit(__doc__)
    # Told to end, it takes away what it made, as it does when interrupted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    prepare()
    began, results, s = time.monotonic(), Results(), Stage()
    try:
        s.install()
        tests = chosen()
        run_tests(s, results, [test for test in tests if not test.last])
        for name, check in s.to_check:
            results.run(s, name, lambda s, check=check: check())
        run_tests(s, results, [test for test in tests if test.last])
        if results.failed:
            tell(s)
        if not os.environ.get("KEEP"):
            results.run(s, "uninstalled and nothing is left behind", taken_away)
    except BaseException:
        tell(s)
        raise
    finally:
        s.leave()
    for name in results.failed:
        print(f"FAILED: {name}")
    print(f"{results.passed} passed, {len(results.failed)} failed, in {time.monotonic() - began:.0f} s")
    sys.exit(1 if results.failed else 0)


if __name__ == "__main__":
    main()
