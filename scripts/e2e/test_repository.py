"""Repositories of a git server in the cluster: only as configured."""

from cases import test
from waiting import same


@test
def a_repository_in_the_cluster_is_refused_until_it_is_configured_and_then_read(s):
    s.start_git_server()
    status, text = s.api.ask("POST", "/api/v1/runs", {
        "run_id": s.name("refused"), "prompt": "cat ANSWER", "mode": "exec", "repo": s.repository})
    said = text.decode()
    assert status in (400, 422), f"{status} {said}"
    assert "repository-address" in said or "private-address" in said, said
    s.with_repositories()
    run = s.command("repository", "git log --format=%s; cat ANSWER", repo=s.repository)
    viewer = s.viewer(run).end(90)
    same(viewer.state["summary"]["variations"][0]["state"], "succeeded", f"{viewer.state['summary']}")
    same(viewer.text(), "The answer\nThe answer is 42.\n", "what the hands read")
    commit = s.api.run(run)["spec"]["source"]["commit"]
    same(len(commit), 40, "the commit")
    missing = s.repository.replace("answer", "missing")
    status, text = s.api.ask("POST", "/api/v1/runs", {
        "run_id": s.name("missing"), "prompt": "hi", "repo": missing})
    assert status in (400, 404, 422) and "repository-not-found" in text.decode(), f"{status} {text.decode()}"
    return f"refused with: {said[:200]}"
