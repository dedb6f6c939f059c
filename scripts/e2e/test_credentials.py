"""What an agent's credential is good for, and that its hands have none."""

import base64
import json
import time

from cases import test
from nats import Credential, Nats, No
from waiting import same, within


def credential(s, run, variation=0):
    pod = s.pod(run, variation=variation)
    volumes = pod["spec"]["volumes"]
    name = next(v["secret"]["secretName"] for v in volumes if v["name"] == "credentials")
    secret = s.kube.get("secrets", name)
    owner = secret["metadata"].get("ownerReferences", [{}])[0]
    same(owner.get("kind"), "Job", "the owner of an agent's Secret")
    return Credential(base64.b64decode(secret["data"]["agent.creds"]).decode())


def refusal(nats, subject, payload, inbox, headers=None):
    try:
        answer = nats.request(subject, payload, inbox, headers)
    except No as no:
        return str(no)
    raise AssertionError(f"{subject} was allowed: {answer[:300]}")


class Agent:
    """Whoever stole an agent's credential: speaks as its attempt, from its own connection."""

    def __init__(self, s, run):
        self.s, self.run = s, run
        self.credential = credential(s, run)
        head, record = self.ask("exchange", f"$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.{run}.0.attempt", "")
        self.attempt, self.fence = json.loads(record)["attempt"], head["Nats-Sequence"]

    def say(self, word):
        """Puts a word on `.out` as the agent does: behind the fence of its attempt, after all that was said."""
        event = {"v": 1, "run": self.run, "variation": 0, "attempt": self.attempt, "n": 10**6, "ts": 0, "type": word}
        fence = {"Nats-Expected-Last-Subject-Sequence": self.fence,
                 "Nats-Expected-Last-Subject-Sequence-Subject": f"aideator.runs.{self.run}.0.attempt"}
        return self.ask("request", f"aideator.runs.{self.run}.0.out", json.dumps(event), fence)

    def is_refused(self, word):
        """By JetStream, because `.attempt` is not what it was: the server's words."""
        try:
            answer = self.say(word)
        except No as no:
            same(json.loads(str(no))["error"]["err_code"], 10071, f"{no}")
            return str(no)
        raise AssertionError(f"an attempt that is over was let to write: {answer}")

    def ask(self, how, subject, payload, headers=None):
        nats = Nats(self.s.nats.any(), self.credential)
        try:
            return getattr(nats, how)(subject, payload, f"_INBOX_{self.run}_0", headers)
        finally:
            nats.close()


def words(s, run):
    """The types of all events in the log of a run."""
    return [line.get("type") for line in s.api.log(run)]


def end(text):
    return [line for line in text.splitlines() if line.strip()]


@test
def an_agents_credential_is_refused_wherever_it_does_not_belong(s):
    run, other = (s.submit(word, model="scripted/lorem?chunks=2000&rate=20") for word in ("mine", "other"))
    for one in (run, other):
        s.api.become(one, "running", 90)
    stolen = credential(s, run)
    inbox = f"_INBOX_{run}_0"
    read = f"$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.{run}.0.attempt"
    nats = Nats(s.nats.any(), stolen)
    assert run in nats.request(read, "", inbox), "what it may do, it can"
    event = json.dumps({"v": 1, "run": other, "variation": 0, "attempt": 1, "n": 0, "ts": 0, "type": "finish"})
    tries = {
        f"aideator.runs.{other}.0.out": event,
        f"aideator.runs.{other}.0.report": event,
        f"aideator.runs.{run}.1.out": event,
        f"aideator.runs.{run}.state": "{}",
        f"aideator.runs.{run}.0.attempt": "{}",
        "aideator.requests.run": '{"prompt":"mine"}',
        "aideator.rpc.run": '{"prompt":"mine"}',
        f"aideator.live.{other}.0.out": event,
        f"aideator.control.{other}.0": "{}",
        f"$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.{other}.0.attempt": "",
        "$JS.API.DIRECT.GET.AIDEATOR_RUNS": json.dumps({"seq": 1}),
        "$JS.API.STREAM.PURGE.AIDEATOR_RUNS": "",
        "$JS.API.STREAM.DELETE.AIDEATOR_RUNS": "",
        "$JS.API.STREAM.MSG.GET.AIDEATOR_RUNS": json.dumps({"seq": 1}),
        "$JS.API.CONSUMER.CREATE.AIDEATOR_RUNS": json.dumps({"stream_name": "AIDEATOR_RUNS", "config": {}}),
        "$KV.AIDEATOR_OPEN.x": "x",
    }
    for subject, payload in tries.items():
        said = refusal(nats, subject, payload, inbox)
        assert "permissions violation" in said.lower(), f"{subject}: {said}"
    for subject in ("aideator.live.>", f"aideator.runs.{other}.>", "_INBOX.>", f"_INBOX_{other}_0.>", ">"):
        try:
            nats.subscribe(subject)
            raise AssertionError(f"it may listen to {subject}")
        except No as no:
            assert "permissions violation" in str(no).lower(), f"{subject}: {no}"
    nats.close()
    for one in (run, other):
        s.api.json("POST", f"/api/v1/runs/{one}/cancel", {})
    assert not [line for line in s.api.log(other) if line.get("type") == "finish" and line.get("ts") == 0]
    return f"{len(tries)} subjects refused"


@test
def a_cancelled_agent_that_goes_on_is_refused_by_the_server(s):
    run = s.command("quiet", "echo begin; sleep 300")
    s.api.become(run, "running", 90)
    agent = Agent(s, run)
    assert "seq" in agent.say("e2e-before"), "with this credential and this fence its words are taken"
    s.api.json("POST", f"/api/v1/runs/{run}/variations/0/cancel", {})
    s.api.become(run, "cancelled", 30)
    said = agent.is_refused("e2e-after")
    same([word for word in words(s, run) if str(word).startswith("e2e-")], ["e2e-before"], "what is stored of it")
    return said[:120]


@test
def a_superseded_agent_that_goes_on_is_refused_by_the_server(s):
    # Deleted by force, a pod is gone for Kubernetes while its processes go on for a moment.
    model = "scripted/lorem?chunks=1500&rate=100&seed=5"
    run = s.submit("zombie", model=model)
    viewer = s.viewer(run)
    pod = s.running_pod(run)
    zombie = Agent(s, run)
    s.kube.delete("pods", pod, grace=0)
    s.api.become(run, "failed", 30)
    viewer.end(30)
    assert s.scripted(model).startswith(viewer.text(0, 1)), "what the first attempt said"
    s.api.json("POST", f"/api/v1/runs/{run}/variations/0/retry", {})
    s.api.become(run, "running", 60, attempt=2)
    second = Agent(s, run)
    assert (zombie.attempt, second.attempt) == (1, 2) and zombie.fence != second.fence, "each attempt has a fence of its own"
    refused = zombie.is_refused("e2e-zombie")
    viewer = s.viewer(run).end(90)
    same(viewer.text(0, 2), s.scripted(model), "the second attempt")
    said = [(line["attempt"], line["n"]) for line in s.api.log(run) if "n" in line]
    same(said, sorted(said), "nothing of the first attempt comes after the second began")
    assert "e2e-zombie" not in words(s, run), "the first attempt's late word is stored"
    return refused[:120]


@test
def an_agents_credential_is_refused_after_it_expired(s):
    run = s.submit("expires", deadline_s=1, model="scripted/lorem?chunks=10&rate=20")
    stolen = credential(s, run)
    s.viewer(run).end(60)
    left = stolen.claims["exp"] - time.time()
    assert left < 200, f"it is good for {left:.0f} s more, with a deadline of 1 s"
    s.later("an expired credential is refused", lambda: expired(s, stolen))
    return f"tried again when it has expired, in {left:.0f} s"


def expired(s, stolen):
    within(max(1, stolen.claims["exp"] - time.time()) + 10, "the expiry", lambda: time.time() > stolen.claims["exp"] + 1, 1)
    try:
        Nats(s.nats.any(), stolen)
    except No as no:
        assert "authorization" in str(no).lower() or "expired" in str(no).lower(), no
        return
    raise AssertionError("an expired credential was let in")


@test
def neither_the_models_key_nor_a_credential_can_be_read_from_the_hands(s):
    # `[s]k` finds the key and not itself, which stands in the command lines that are looked through. The control
    # shows that what is there is found.
    secret = "'[s]k-e2e-|[N]KEY SEED|[U]SER JWT'"
    look = f"""
        echo files; printf sk%s -e2e-control > /tmp/control
        for place in /run /var/run /tmp /workspace /etc /root /home /opt /srv; do grep -rlsE {secret} $place; done | sort -u
        echo environments; (env; cat /proc/*/environ /proc/*/task/*/environ | tr '\\0' '\\n') 2>/dev/null |
            grep -E '[s]k-e2e|OPENAI|CREDS|NATS|API_KEY'
        echo command lines; cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -oE '[s]k-e2e|[a]ideator-agent brain'
        echo mounts; ls -d /run/secrets/* /var/run/secrets/* 2>/dev/null; grep -ho '[s]ecrets/aideator' /proc/*/mountinfo 2>/dev/null
        echo done
    """
    run = s.command("look", look)
    pod = s.pod(run)
    brain = next(c for c in pod["spec"]["containers"] if c["name"] == "brain")
    assert any(e["name"] == "OPENAI_API_KEY" for e in brain["env"]), "the brain has the key"
    viewer = s.viewer(run).end(90)
    same(end(viewer.text()), ["files", "/tmp/control", "environments", "command lines", "mounts", "done"],
         "what the hands find")
