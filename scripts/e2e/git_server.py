"""A git server in the cluster: smart HTTP by `git http-backend`, behind a few lines of Perl, which git brings along."""

SERVER = r'''
use strict; use IO::Socket::INET;
$SIG{CHLD} = 'IGNORE';
my $listen = IO::Socket::INET->new(LocalPort => 8080, Listen => 64, ReuseAddr => 1) or die "can't listen: $!";
while (my $client = $listen->accept) {
    if (fork) { close $client; next }
    $SIG{CHLD} = 'DEFAULT';
    my ($method, $target) = split / /, scalar <$client>;
    my ($path, $query) = split /\?/, $target, 2;
    my %head;
    while (my $line = <$client>) { last if $line =~ /^\r?\n$/; $head{lc $1} = $2 if $line =~ /^([^:]+):\s*(.*?)\r?\n$/ }
    my $length = $head{'content-length'} || 0; my $body = '';
    read($client, $body, $length) if $length;
    open my $file, '>', "/tmp/body.$$"; print $file $body; close $file;
    %ENV = (PATH => $ENV{PATH}, HOME => '/tmp', GIT_PROJECT_ROOT => '/srv', GIT_HTTP_EXPORT_ALL => 1,
        REQUEST_METHOD => $method, PATH_INFO => $path, QUERY_STRING => $query // '',
        CONTENT_TYPE => $head{'content-type'} // '', CONTENT_LENGTH => $length,
        HTTP_CONTENT_ENCODING => $head{'content-encoding'} // '', GIT_PROTOCOL => $head{'git-protocol'} // '');
    my $answer = `git http-backend < /tmp/body.$$`;
    unlink "/tmp/body.$$";
    my ($fields, $rest) = split /\r\n\r\n/, $answer, 2;
    my $status = $fields =~ s/^Status: (.*)\r\n//m ? $1 : '200 OK';
    print $client "HTTP/1.1 $status\r\nConnection: close\r\nContent-Length: " . length($rest) . "\r\n$fields\r\n\r\n$rest";
    close $client; exit 0;
}
'''

SETUP = """
export HOME=/tmp GIT_AUTHOR_NAME=e2e GIT_AUTHOR_EMAIL=e2e@example.com GIT_COMMITTER_NAME=e2e GIT_COMMITTER_EMAIL=e2e@example.com
git init -q -b main /tmp/work && cd /tmp/work && printf 'The answer is 42.\\n' > ANSWER && git add . && git commit -qm 'The answer'
git clone -q --bare /tmp/work /srv/answer.git && exec perl /etc/git-server/server.pl
"""


def manifests(image):
    restricted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "git", "image": image, "command": ["bash", "-ec", SETUP], "securityContext": restricted,
            "ports": [{"containerPort": 8080}],
            "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
            "volumeMounts": [{"name": n, "mountPath": p} for n, p in
                             (("srv", "/srv"), ("tmp", "/tmp"), ("server", "/etc/git-server"))],
        }],
        "volumes": [{"name": "srv", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}},
                    {"name": "server", "configMap": {"name": "git"}}],
    }
    labels = {"app": "git"}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "git"}, "data": {"server.pl": SERVER}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "git"},
         "spec": {"selector": labels, "ports": [{"port": 8080}]}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "git"},
         "spec": {"selector": {"matchLabels": labels},
                  "template": {"metadata": {"labels": labels}, "spec": pod}}},
    ]
