"""What NetworkPolicies close to an agent's hands. It takes a network plugin that enforces them."""

from cases import test
from stage import RELEASE
from waiting import same

# A policy may take a moment to reach a new pod: what stays open for ten seconds is open.
TRY = """
try() {
    for again in 1 2 3 4 5; do
        timeout 5 bash -c "exec 3<>/dev/tcp/$2/$3" 2>/dev/null || { echo "$1 closed"; return; }
        sleep 2
    done
    echo "$1 open"
}
"""


def tried(places):
    """A shell command that says of each place, by its name, whether it takes connections."""
    return TRY + "".join(f"try {name} {host} {port} &\n" for name, (host, port) in places.items()) + "wait\n"


def said(text):
    return dict(line.split() for line in text.splitlines())


@test
def the_hands_reach_nats_and_neither_api_server_nor_edges_nor_monitoring_nor_a_git_server(s):
    s.start_git_server()
    s.settled()
    edge, nats = (s.kube.ready(component)[0]["status"]["podIP"] for component in ("edge", "nats"))
    api_server = s.kube.call("GET", "/api/v1/namespaces/default/services/kubernetes")["spec"]["clusterIP"]
    places = {"nats": (f"{RELEASE}-nats", 4222), "monitoring": (nats, 8222), "edge": (edge, 7780),
              "edges": (f"{RELEASE}-edge", 80), "git": ("git", 8080), "api-server": (api_server, 443)}
    viewer = s.viewer(s.command("network", tried(places))).end(150)
    same(said(viewer.text()), dict.fromkeys(places, "closed") | {"nats": "open"}, "from the hands")
    # The same from a pod that is not ours and may go anywhere: they are there, and only NATS lets nobody else in.
    text = s.kubectl("-n", s.namespace, "exec", "deployment/git", "--", "sh", "-c", tried(places))
    same(said(text), dict.fromkeys(places, "open") | dict.fromkeys(("nats", "monitoring"), "closed"), "from the git server")
