"""NATS as three servers, in a namespace of its own."""

import random
import secrets

import kube
from cases import test
from stage import RELEASE, Stage
from waiting import same, within


@test(long=True)
def with_three_nats_servers_a_run_stays_whole_when_one_is_killed_in_the_middle(s):
    models = [f"scripted/lorem?chunks=400&rate=20&seed={seed}" for seed in (21, 22)]
    other = Stage(f"{s.namespace}-three")
    try:
        other.install(
            nats={"replicas": 3, "routePassword": secrets.token_hex(32), "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}},
            watcher={"persistence": {"enabled": False}})
        other.settled(300)
        run = other.submit("three", variations=[{"model": model} for model in models])
        viewer = other.viewer(run)
        within(120, "words of both", lambda: len(viewer.texts) == 2)
        other.kube.delete("pods", random.choice(other.kube.ready("nats"))["metadata"]["name"], grace=0)
        viewer.end(180)
        for variation, model in enumerate(models):
            same(viewer.text(variation), other.scripted(model), f"variation {variation}")
        other.settled()
        kube.run(["helm", "uninstall", RELEASE, "-n", other.namespace, "--wait", "--timeout", "3m"])
        left = lambda: [it for kind in ("pods", "jobs", "persistentvolumeclaims") for it in other.kube.list(kind, instance=RELEASE)]  # noqa: E731
        within(90, lambda: f"nothing to be left: {left()}", lambda: not left(), 1)
    finally:
        other.leave()
