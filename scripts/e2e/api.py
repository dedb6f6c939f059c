"""The HTTP API as a script sees it, and viewers that go on where they were, on any edge."""

import http.client
import json
import socket
import threading
import time
import urllib.parse

from waiting import within


class Api:
    def __init__(self, door, token):
        self.door, self.token = door, token

    def head(self, **more):
        return {"authorization": f"Bearer {self.token}", "content-type": "application/json", **more}

    def ask(self, method, path, body=None, seconds=60):
        """Status and body. Asked again on another edge while one goes or its NATS is away; every request bears that."""
        last = [None]

        def answer():
            connection = http.client.HTTPConnection("127.0.0.1", self.door.any(), timeout=20)
            try:
                connection.request(method, path, json.dumps(body) if body is not None else None, self.head())
                got = connection.getresponse()
                last[0] = got.status, got.read()
            except (OSError, http.client.HTTPException) as error:
                last[0] = error
                return None
            finally:
                connection.close()
            return None if last[0][0] in (500, 502, 503, 504) else last[0]

        return within(seconds, lambda: f"an answer to {method} {path}: {last[0]}", answer)

    def json(self, method, path, body=None, expect=(200, 201, 202)):
        status, text = self.ask(method, path, body)
        assert status in expect, f"{method} {path}: {status} {text.decode()[:600]}"
        return json.loads(text or b"null")

    def run(self, run):
        return self.json("GET", f"/api/v1/runs/{run}")

    def log(self, run):
        status, text = self.ask("GET", f"/api/v1/runs/{run}/log")
        assert status == 200, text
        return [json.loads(line) for line in text.decode().splitlines()]

    def variation(self, run, variation=0):
        return self.run(run)["summary"]["variations"][variation]

    def become(self, run, states, seconds, variation=0, attempt=1):
        """The variation once this attempt of it is in one of these states."""
        states = states.split()
        last = [None]

        def reached():
            last[0] = self.variation(run, variation)
            if last[0]["attempt"] < attempt:
                return None
            over = last[0]["state"] in ("succeeded", "failed", "cancelled", "timed_out")
            assert not over or last[0]["state"] in states, f"{run}/{variation}: {last[0]} instead of {states}"
            return last[0] if last[0]["state"] in states else None

        return within(seconds, lambda: f"{run}/{variation} to be {states}: {last[0]}", reached)

    def waits(self, run, code, seconds):
        """The reason once the variation waits for one with this code."""
        last = [None]

        def told():
            last[0] = self.variation(run)
            reason = last[0].get("reason") or {}
            return reason if reason.get("code") == code else None

        return within(seconds, lambda: f"{run} to wait for {code}: {last[0]}", told)


class Viewer:
    """Watches a run to its end over as many connections as that takes, and holds what must never happen in `faults`."""

    def __init__(self, api, run):
        self.api, self.name = api, run
        self.position, self.edge = None, None
        self.texts, self.last = {}, {}
        self.state, self.ended, self.connections = {}, False, 0
        self.faults, self.first = [], None
        self.stop = False
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def end(self, seconds):
        within(seconds, lambda: f"the end of {self.name}: {self.state.get('summary')}", lambda: not self.thread.is_alive())
        assert self.ended and not self.faults, f"{self.name}: {self.faults[:5]}"
        return self

    def text(self, variation=0, attempt=None):
        if attempt is None:
            attempt = self.state["summary"]["variations"][variation]["attempt"]
        return self.texts.get((variation, attempt), "")

    def watch(self):
        while not (self.ended or self.stop):
            try:
                self.join()
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
            except Exception as error:  # noqa: BLE001
                self.faults.append(f"{type(error).__name__}: {error}")
                return

    def move(self):
        """To another edge, at once."""
        # Not `connection.sock`: of an answer that ends with its connection http.client lets go at once.
        if self.socket is not None:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    socket = None

    def join(self):
        self.edge = self.api.door.any(120, but=self.edge)
        connection = http.client.HTTPConnection("127.0.0.1", self.edge, timeout=40)
        try:
            headers = self.api.head() | ({"last-event-id": self.position} if self.position else {})
            connection.request("GET", f"/api/v1/runs/{urllib.parse.quote(self.name)}/stream", headers=headers)
            self.socket = connection.sock
            response = connection.getresponse()
            if response.status == 204:
                if self.state.get("summary", {}).get("status") != "finished":
                    self.faults.append("204 before the end")
                self.ended = True
                return
            if response.status != 200:
                if response.status not in (404, 500, 502, 503, 504):
                    self.faults.append(f"the edge answered {response.status}: {response.read()[:300]}")
                    self.ended = True
                time.sleep(0.2)
                return
            self.connections += 1
            self.read(response)
        finally:
            self.socket = None
            connection.close()

    def read(self, response):
        event = {}
        while not self.ended:
            line = response.readline()
            if not line.endswith(b"\n"):
                return
            line = line.decode().rstrip("\r\n")
            if not line:
                if event:
                    self.take(event)
                event = {}
                continue
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                event["data"] = event["data"] + "\n" + value if "data" in event else value
            elif field in ("id", "event"):
                event[field] = value

    def take(self, event):
        self.position = event.get("id", self.position)
        name, data = event.get("event", ""), event.get("data", "")
        if name == "":
            self.take_out(json.loads(data))
        elif name == "state":
            self.take_state(json.loads(data))
        elif name == "end":
            self.ended = True
        elif name != "caught-up":
            self.faults.append(f"{name}: {data}")

    def take_out(self, said):
        variation, at = said["variation"], (said["attempt"], said["n"])
        last = self.last.get(variation)
        if last and at <= last:
            # A position holds one track exactly, so what comes again is what was shown before.
            self.faults.append(f"variation {variation}: {at} again after {last}")
            return
        follows = at[1] == last[1] + 1 if last and last[0] == at[0] else at[1] == 0
        if not follows:
            self.faults.append(f"variation {variation}: {at} after {last}")
        self.last[variation] = at
        if said["type"] == "text-delta":
            self.first = self.first or time.monotonic()
            key = variation, at[0]
            self.texts[key] = self.texts.get(key, "") + said["delta"]

    def take_state(self, state):
        self.state = state
        for variation, now in enumerate(state["summary"]["variations"]):
            digest = now.get("digest")
            seen = len(self.texts.get((variation, now["attempt"]), "").encode())
            if digest and digest["bytes"] != seen:
                self.faults.append(f"variation {variation} ended after {seen} of {digest['bytes']} bytes")
