"""What was given out and is taken back: tokens, and keys of NATS."""

import json
import shutil
import time
import types

from api import Api
from cases import test
from waiting import same, within


def answers(s, token):
    """The status with which each edge answers who shows this token."""
    with s.edges.lock:
        ports = [port for port, _ in s.edges.open.values()]
    doors = [types.SimpleNamespace(any=lambda port=port: port) for port in ports]
    return [Api(door, token).ask("GET", "/api/v1/runs?limit=1")[0] for door in doors]


@test
def a_revoked_token_is_refused_by_every_edge_within_ten_seconds(s):
    token = s.aideator("token", "new", "--name", "gone", "--scope", "read", "--expires", "1h").strip()
    within(60, "two edges", lambda: len(s.edges.open) == 2)
    same(answers(s, token), [200, 200], "before it is revoked")
    s.aideator("token", "revoke", token, server=True)
    began = time.monotonic()
    within(10, lambda: f"every edge to refuse it: {answers(s, token)}", lambda: answers(s, token) == [401, 401])
    same(answers(s, s.token), [200, 200], "another token")
    return f"after {time.monotonic() - began:.1f} s"


def rotate(s, *more):
    """As README says."""
    s.aideator("nats", "rotate", "--keys", str(s.folder / "keys"), *more)
    s.write_keys()
    s.upgrade()


def lets_in(s, creds):
    """Whether NATS does, once it answers."""
    last = [None]

    def answer():
        last[0] = s.by_nats("request", "aideator.rpc.runs.list", '{"limit":1}', creds=creds, check=False)
        return last[0].returncode == 0 or "refuses these credentials" in last[0].stderr

    within(60, lambda: f"a word of NATS: {last[0]}", answer, 1)
    return last[0].returncode == 0


@test(last=True)
def keys_of_nats_are_rotated_under_a_run_that_stays_whole_and_those_from_before_are_refused_in_the_end(s):
    old, new = s.folder / "old.creds", s.folder / "keys" / "client.creds"
    shutil.copy(new, old)
    model = "scripted/lorem?chunks=2400&rate=20&seed=11"
    run = s.submit("rotate", model=model)
    viewer = s.viewer(run)
    s.api.become(run, "running", 90)
    rotate(s)
    same(s.api.variation(run)["state"], "running", "the run, now that everything has new keys")
    assert old.read_text() != new.read_text(), "scripts have no new credential"
    assert lets_in(s, old) and lets_in(s, new), "both are good until the rotation is finished"
    viewer.end(180)
    same(viewer.text(), s.scripted(model), "a run that was begun with the old keys")
    rotate(s, "--finish")
    assert lets_in(s, new) and not lets_in(s, old), "only the new one is good"
    after, model = s.name("rotated"), "scripted/lorem?chunks=40&rate=20&seed=12"
    s.by_nats("request", "aideator.rpc.run", json.dumps({"run_id": after, "prompt": "hi", "model": model}))
    same(s.viewer(after).end(90).text(), s.scripted(model), "a run with the new keys")
