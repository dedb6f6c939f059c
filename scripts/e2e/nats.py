"""As much of a NATS client as it takes to try a stolen credential: it says exactly what the server answered.

The signature is Ed25519 (RFC 8032), written out because Python has none; it is slow and not hardened, which a
test's credential does not need.
"""

import base64
import hashlib
import json
import os
import re
import socket

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def x_of(y):
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    return x if x % 2 == 0 else P - x


def add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def packed(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (x_of(BASE_Y), BASE_Y, 1, x_of(BASE_Y) * BASE_Y % P)


def sign(seed, message):
    digest = hashlib.sha512(seed).digest()
    secret = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    public = packed(times(secret, BASE))

    def number(*parts):
        return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L

    nonce = number(digest[32:], message)
    commitment = packed(times(nonce, BASE))
    answer = (nonce + number(commitment, public, message) * secret) % L
    return commitment + answer.to_bytes(32, "little")


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Credential:
    """A .creds file."""

    def __init__(self, text):
        self.jwt, seed = re.findall(r"-----BEGIN [^\n]*-----\n([^\n]+)", text)
        self.seed = base64.b32decode(seed + "=" * (-len(seed) % 8))[2:34]
        body = self.jwt.split(".")[1]
        self.claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


class No(Exception):
    """The server's words."""


class Nats:
    def __init__(self, port, credential):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.lines = self.socket.makefile("rb")
        info = json.loads(self.line()[5:])
        signature = sign(credential.seed, info["nonce"].encode())
        connect = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "lang": "e2e",
                   "version": "1", "jwt": credential.jwt, "sig": base64url(signature)}
        self.send(f"CONNECT {json.dumps(connect)}\r\nPING\r\n")
        self.until(lambda line: line == "PONG")

    def close(self):
        self.socket.close()

    def send(self, text, payload=b""):
        self.socket.sendall(text.encode() + payload)

    def line(self):
        line = self.lines.readline()
        if not line:
            raise No("the server closed the connection")
        return line.decode().strip()

    def until(self, is_it):
        while True:
            line = self.line()
            if line.startswith("-ERR"):
                raise No(line[5:].strip("'"))
            if line == "PING":
                self.send("PONG\r\n")
            elif line.startswith(("MSG", "HMSG")):
                # No more than one request is under way.
                size = int(line.split()[-1])
                self.message = line.split(), self.lines.read(size + 2)[:-2]
                line = line.split()[0]
            if is_it(line):
                return line

    def subscribe(self, subject):
        self.send(f"SUB {subject} {os.urandom(2).hex()}\r\nPING\r\n")
        try:
            self.until(lambda line: line == "PONG")
        except No:
            # The refusal comes before the answer to the ping.
            self.until(lambda line: line == "PONG")
            raise

    def request(self, subject, payload, inbox, headers=None):
        """The answer's payload; `No` with the server's words when it is refused, also by JetStream."""
        return self.exchange(subject, payload, inbox, headers)[1]

    def exchange(self, subject, payload, inbox, headers=None):
        """The answer's headers and payload."""
        reply = f"{inbox}.{os.urandom(4).hex()}"
        self.subscribe(reply)
        payload = payload.encode()
        if headers:
            head = "NATS/1.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
            self.send(f"HPUB {subject} {reply} {len(head)} {len(head) + len(payload)}\r\n{head}", payload + b"\r\n")
        else:
            self.send(f"PUB {subject} {reply} {len(payload)}\r\n", payload + b"\r\n")
        kind = self.until(lambda line: line in ("MSG", "HMSG"))
        words, body = self.message
        answered = {}
        if kind == "HMSG":
            head, body = body[:int(words[-2])].decode(), body[int(words[-2]):]
            status, *lines = head.split("\r\n")
            status = status.removeprefix("NATS/1.0").strip()
            if status:
                raise No(f"status {status}")
            answered = {name: value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
        answer = body.decode()
        if '"error":{' in answer.replace(" ", ""):
            raise No(answer)
        return answered, answer
