"""The cluster of the current kubeconfig: its API by `kubectl proxy`, its pods' ports by `kubectl port-forward`."""

import http.client
import json
import random
import re
import subprocess
import threading
import time
import urllib.parse

from waiting import Late, within

GROUPS = {
    "jobs": "/apis/batch/v1",
    "deployments": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
}


class Refused(Exception):
    """The API server said no."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text[:500]}")
        self.status = status


def output(process, pattern, seconds=30):
    """The first match of `pattern` in what `process` prints; afterwards what it prints is read and dropped."""
    found, lines = [], []

    def read():
        for line in process.stdout:
            lines.append(line)
            match = re.search(pattern, line)
            if match and not found:
                found.append(match)

    threading.Thread(target=read, daemon=True).start()
    try:
        return within(seconds, lambda: f"{process.args} to begin: {''.join(lines)}",
                      lambda: found or process.poll() is not None, 0.05) and found[0]
    except (IndexError, Late):
        process.kill()
        raise ConnectionError(f"{process.args[:6]}: {''.join(lines)}") from None


class Kube:
    def __init__(self, namespace):
        self.namespace = namespace
        self.proxy = subprocess.Popen(["kubectl", "proxy", "--port=0"], text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.port = int(output(self.proxy, r"127\.0\.0\.1:(\d+)")[1])

    def close(self):
        self.proxy.terminate()
        self.proxy.wait()

    def call(self, method, path, body=None, kind="application/json"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            text = json.dumps(body) if body is not None else None
            connection.request(method, path, text, {"content-type": kind})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refused(answer.status, text)
        return json.loads(text)

    def path(self, kind, name="", sub=""):
        path = f"{GROUPS.get(kind, '/api/v1')}/namespaces/{self.namespace}/{kind}"
        return path + (f"/{name}" if name else "") + (f"/{sub}" if sub else "")

    def list(self, kind, **labels):
        """Objects with these labels; `component` and `run` stand for the labels of ours."""
        names = {"component": "app.kubernetes.io/component", "run": "aideator.dev/run",
                 "instance": "app.kubernetes.io/instance", "variation": "aideator.dev/variation"}
        selector = ",".join(f"{names.get(key, key)}={value}" for key, value in labels.items())
        query = "?labelSelector=" + urllib.parse.quote(selector) if selector else ""
        return self.call("GET", self.path(kind) + query)["items"]

    def get(self, kind, name):
        try:
            return self.call("GET", self.path(kind, name))
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def patch(self, kind, name, body, sub="", form="merge"):
        kinds = {"merge": "application/merge-patch+json", "json": "application/json-patch+json"}
        return self.call("PATCH", self.path(kind, name, sub), body, kinds[form])

    def delete(self, kind, name, grace=None, propagation="Background"):
        """False: it was not there."""
        body = {"propagationPolicy": propagation}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        try:
            self.call("DELETE", self.path(kind, name), body)
        except Refused as error:
            if error.status != 404:
                raise
            return False
        return True

    def scale(self, name, replicas):
        self.patch("deployments", name, {"spec": {"replicas": replicas}}, "scale")

    def restart(self, name):
        stamp = {"metadata": {"annotations": {"aideator.dev/restarted": str(time.time())}}}
        self.patch("deployments", name, {"spec": {"template": stamp}})

    def ready(self, component):
        """The pods of a component that are ready and stay."""
        def is_ready(pod):
            conditions = pod["status"].get("conditions", [])
            return ("deletionTimestamp" not in pod["metadata"]
                    and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions))
        return [pod for pod in self.list("pods", component=component) if is_ready(pod)]

    def rolled_out(self, kind, name):
        it = self.get(kind, name)
        status, wanted = it["status"], it["spec"].get("replicas", 1)
        return (status.get("observedGeneration", 0) >= it["metadata"]["generation"]
                and status.get("updatedReplicas", 0) == wanted == status.get("readyReplicas", 0)
                and status.get("replicas", 0) == wanted)


def kubectl(*arguments, text=None, check=True):
    return run(["kubectl", *arguments], text, check)


def run(command, text=None, check=True, **more):
    done = subprocess.run(command, input=text, text=True, capture_output=True, **more)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command[:8])}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout if check else done


class Door:
    """A port of every ready pod of a component, each forwarded to this machine; pods may come and go."""

    def __init__(self, kube, component, port):
        self.kube, self.component, self.port = kube, component, port
        self.open, self.lock, self.closed = {}, threading.Lock(), threading.Event()
        self.leaving = {}
        self.thread = threading.Thread(target=self.keep, daemon=True)
        self.thread.start()

    def keep(self):
        while not self.closed.is_set():
            try:
                ready = {pod["metadata"]["name"] for pod in self.kube.ready(self.component)}
                self.follow(ready)
                self.forget({pod["metadata"]["name"] for pod in self.kube.list("pods", component=self.component)})
            except (OSError, Refused, http.client.HTTPException, ValueError):
                pass  # The next look may go better.
            self.closed.wait(0.3)
        self.follow(set())
        self.forget(set())

    def follow(self, ready):
        for name in ready:
            with self.lock:
                known = self.open.get(name)
            if known and known[1].poll() is None:
                continue
            process = subprocess.Popen(
                ["kubectl", "-n", self.kube.namespace, "port-forward", f"pod/{name}", f":{self.port}"],
                text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            port = int(output(process, r"Forwarding from 127\.0\.0\.1:(\d+)")[1])
            with self.lock:
                self.open[name] = (port, process)
        with self.lock:
            gone = [name for name, (_, process) in self.open.items()
                    if process.poll() is not None or name not in ready]
            # A pod that leaves still lets its viewers go one by one, so its forward stays until it is gone.
            self.leaving.update({name: self.open.pop(name)[1] for name in gone})

    def forget(self, there):
        for name in self.leaving.keys() - there:
            process = self.leaving.pop(name)
            process.terminate()
            process.wait()

    def any(self, seconds=90, but=None):
        """A port on this machine."""
        def one():
            with self.lock:
                ports = [port for port, process in self.open.values() if process.poll() is None]
            others = [port for port in ports if port != but]
            return random.choice(others or ports) if ports else None
        return within(seconds, f"a ready {self.component}", one, 0.1)

    def close(self):
        self.closed.set()
        self.thread.join(30)
