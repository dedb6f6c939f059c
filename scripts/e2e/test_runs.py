"""A run's whole life, started in each of the three ways."""

import base64
import json
import time

from cases import test
from waiting import same, within


@test
def the_first_of_five_variations_speaks_within_60_s_of_helm_install(s):
    models = [{"model": f"scripted/lorem?chunks=40&rate=20&seed={seed}"} for seed in range(5)]
    run = s.submit("first", variations=models)
    viewer = s.viewer(run)
    within(90, "a token", lambda: viewer.first, 0.05)
    took = viewer.first - s.installing
    viewer.end(90)
    for variation, model in enumerate(models):
        same(viewer.text(variation), s.scripted(model["model"]), f"variation {variation}")
    assert took < 60, f"{took:.1f} s"
    startup = s.api.variation(run)["startup"]
    assert {"admitted", "scheduled", "pulled"} <= startup.keys(), startup
    return f"first token {took:.1f} s after helm install"


@test
def every_pod_runs_under_pod_security_restricted(s):
    namespace = s.kube.call("GET", f"/api/v1/namespaces/{s.namespace}")
    same(namespace["metadata"]["labels"].get("pod-security.kubernetes.io/enforce"), "restricted", "the namespace's label")
    pods = s.kube.list("pods", instance="aideator")
    parts = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods}
    assert {"edge", "submitter", "watcher", "nats"} <= parts, parts
    # The label was there first, so each of these was admitted by it; this one would not be.
    said = s.kubectl("-n", s.namespace, "run", "privileged", "--image=x", "--dry-run=server", check=False)
    assert "violates PodSecurity" in said.stderr, f"the namespace enforces nothing: {said.stdout}{said.stderr}"


@test
def a_request_over_nats_a_request_over_http_and_the_command_all_stream_what_the_model_says(s):
    model = "scripted/lorem?chunks=60&rate=30&seed=7"
    by_nats, by_command = s.name("nats"), s.name("command")
    answer = json.loads(s.by_nats("request", "aideator.rpc.run",
                                  json.dumps({"run_id": by_nats, "prompt": "hi", "model": model})))
    same(answer.get("run_id"), by_nats, "what NATS answers")
    published = s.name("pub")
    s.by_nats("pub", "aideator.requests.run", json.dumps({"run_id": published, "prompt": "hi", "model": model}))
    by_http = s.submit("http", model=model, variations=2)
    lines = s.aideator("run", "--json", "--id", by_command, "-m", model, "hi", server=True).splitlines()
    events = [json.loads(line) for line in lines]
    same("".join(e["delta"] for e in events if e.get("type") == "text-delta"), s.scripted(model), "by the command")
    for run in (by_nats, published, by_http):
        viewer = s.viewer(run).end(60)
        for variation in range(len(viewer.state["summary"]["variations"])):
            same(viewer.text(variation), s.scripted(model), f"{run}/{variation}")
    listed = within(20, "all runs in the list", lambda: {by_nats, published, by_http, by_command} <= {
        run["run_id"] for run in s.api.json("GET", "/api/v1/runs?limit=50")["runs"]})
    assert listed


@test
def a_cancelled_variation_stops_alone_and_a_retried_one_runs_again_and_the_pick_is_kept(s):
    model = "scripted/lorem?chunks=400&rate=20&seed=3"
    run = s.submit("cancel", model=model, variations=2)
    viewer = s.viewer(run)
    for variation in (0, 1):
        s.api.become(run, "running", 60, variation)
    began = time.monotonic()
    s.api.json("POST", f"/api/v1/runs/{run}/variations/0/cancel", {"reason": "enough"})
    now = s.api.become(run, "cancelled", 20)
    took = time.monotonic() - began
    assert "enough" in json.dumps(now["reason"]), now
    within(30, "the cancelled variation's Job to go", lambda: not [
        job for job in s.kube.list("jobs", run=run, variation=0) if not job["status"].get("conditions")])
    same(s.api.variation(run, 1)["state"], "running", "the other")
    s.api.json("POST", f"/api/v1/runs/{run}/variations/0/retry", {})
    s.api.become(run, "running", 60, attempt=2)
    viewer.end(90)
    for variation, attempt in ((0, 2), (1, 1)):
        same(viewer.text(variation, attempt), s.scripted(model), f"variation {variation}")
    assert s.scripted(model).startswith(viewer.text(0, 1)), "what the cancelled attempt said"
    s.api.json("POST", f"/api/v1/runs/{run}/pick", {"variation": 1, "reason": "calm"})
    pick = within(10, "the pick", lambda: s.api.run(run)["summary"].get("pick"))
    same((pick["variation"], pick["reason"]), (1, "calm"), "the pick")
    return f"cancelled after {took:.1f} s"


@test
def a_prompt_of_dollars_quotes_yaml_and_32_KiB_arrives_byte_for_byte_and_is_in_no_object_of_kubernetes(s):
    nasty = "$(OPENAI_API_KEY) ${HOME} `id` '\"\\\n---\nkind: Pod\nargs: [\"{{ .Values }}\"]\n\t| >-\n%s \u00fc\u4f60\U0001f600 "
    marker = "e2emarker" + s.secret[:12]
    prompt = nasty + marker + " end"
    prompt += "x" * (32 * 1024 - len(prompt.encode()) - 1) + "."
    same(len(prompt.encode()), 32 * 1024, "the prompt's bytes")
    run = s.submit("prompt", prompt, model="scripted/lorem?chunks=200&rate=20")
    s.running_pod(run)
    same(s.api.run(run)["spec"]["prompt"], prompt, "the spec's prompt")
    stored = s.by_nats("request", f"$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.{run}.0.attempt")
    same(json.loads(stored)["spec"]["prompt"], prompt, "the prompt in .attempt")
    objects = s.kubectl("-n", s.namespace, "get", "jobs,pods,secrets,configmaps,events", "-o", "json")
    assert run in objects, "the run's own objects are among them"
    secrets = [it for it in json.loads(objects)["items"] if it["kind"] == "Secret"]
    held = [base64.b64decode(data).decode(errors="replace") for it in secrets for data in it.get("data", {}).values()]
    assert any(s.key in text for text in held), "what Secrets hold is looked through, too"
    objects += "\n".join(held)
    for word in (marker, "$(OPENAI_API_KEY)", "kind: Pod"):
        assert word not in objects, f"{word!r} is in an object of Kubernetes"
    log = json.dumps(s.api.log(run))
    assert s.key not in log, "the model's key is in the run's log"
    s.api.json("POST", f"/api/v1/runs/{run}/cancel", {})
