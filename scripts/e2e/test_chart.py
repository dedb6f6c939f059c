"""What the chart brings beside the services."""

import json

from cases import test
from kube import run as call
from stage import CHART, RELEASE, VALUES
from waiting import within


@test(parallel=True)
def helm_test_passes(s):
    call(["helm", "test", RELEASE, "-n", s.namespace, "--timeout", "2m"])


@test(parallel=True)
def the_development_job_runs_to_its_end_without_keys(s):
    s.start_git_server()
    peers = [{"podSelector": {"matchLabels": {"app": "git"}}}]
    model = "scripted/lorem?chunks=20&rate=0"
    values = {
        "image": VALUES["image"],
        "devJob": {"enabled": True, "repoUrl": s.repository, "prompt": "$(OPENAI_API_KEY) \"what?\"", "model": model},
        "submitter": {"trustedHosts": [s.git_host]},
        "networkPolicy": {"repositories": [{"to": peers, "ports": [{"port": 8080, "protocol": "TCP"}]}]},
    }
    (s.folder / "dev.json").write_text(json.dumps(values))
    text = call(["helm", "template", "dev", CHART, "-n", s.namespace, "-f", str(s.folder / "dev.json")])
    s.kubectl("-n", s.namespace, "apply", "-f", "-", text=text)
    jobs = [job for job in s.kube.list("jobs", instance="dev")]
    assert len(jobs) == 1, [job["metadata"]["name"] for job in jobs]
    name = jobs[0]["metadata"]["name"]

    def over():
        conditions = s.kube.get("jobs", name)["status"].get("conditions", [])
        return next((c["type"] for c in conditions if c["type"] in ("Complete", "Failed") and c["status"] == "True"), None)

    try:
        how = within(120, lambda: f"its end: {s.pods()}", over)
        said = s.kubectl("-n", s.namespace, "logs", f"job/{name}", "-c", "brain")
        assert how == "Complete", f"{how}: {said[-2000:]}"
        assert s.scripted(model).strip() in said, said[-2000:]
    finally:
        s.kubectl("-n", s.namespace, "delete", "-f", "-", "--wait=false", text=text)
