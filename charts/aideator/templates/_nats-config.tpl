{{/* nats-server.conf; the name of the server comes as an argument, the keys from a file of the Secret. */}}
{{- define "aideator.natsConfig" -}}
port: 4222
http: 8222
pid_file: /run/nats/nats.pid

# One message is at most one event (256 KiB) or one request (128 KiB), as JSON.
max_payload: 1048576

jetstream {
  store_dir: /data
  # Four fifths of the volume; the rest is for what JetStream writes beside its messages.
  max_file_store: {{ div (mul (include "aideator.bytes" .Values.nats.persistence.size) 4) 5 }}
  # No stream of ours is in memory; without this the server would promise most of the node's.
  max_memory_store: 67108864
  sync_interval: {{ .Values.nats.syncInterval }}
}

# Who may do what: operator, system account, accounts.
include auth.conf
{{- if gt (.Values.nats.replicas | int) 1 }}

lame_duck_duration: 30s
lame_duck_grace_period: 5s
include routes.conf
{{- end }}
{{- end }}

{{/* routes.conf: how three servers find each other. */}}
{{- define "aideator.natsRoutes" -}}
{{- $name := printf "%s-nats" (include "aideator.fullname" .) -}}
{{- $password := .Values.nats.routePassword -}}
{{- if not $password }}{{ fail "\n\nnats.replicas=3 needs nats.routePassword, else whoever reaches the servers' port 6222 is one of them:\n\n  --set-string nats.routePassword=\"$(openssl rand -hex 32)\"\n" }}{{ end -}}
cluster {
  name: {{ $name }}
  port: 6222
  authorization { user: route, password: {{ $password | quote }} }
  routes: [
    {{- range $at := until (.Values.nats.replicas | int) }}
    "nats://route:{{ $password }}@{{ $name }}-{{ $at }}.{{ $name }}-routes:6222"
    {{- end }}
  ]
}
{{- end }}

{{/*
Fails where an upgrade would turn one server into three or back: a cluster forgets the streams of a single server, and
all runs would be gone without a word. Where no cluster is asked (helm template) there is nothing to compare with.
*/}}
{{- define "aideator.sameReplicas" -}}
{{- $there := lookup "apps/v1" "StatefulSet" .Release.Namespace (printf "%s-nats" (include "aideator.fullname" .)) -}}
{{- with $there -}}
{{- if not (has (.spec.replicas | int) (list 0 ($.Values.nats.replicas | int))) -}}
{{- fail (printf "\n\nnats.replicas is %d in the cluster and can't become %d: all runs would be lost. Keep it, or back the streams up (nats account backup), uninstall, delete the volumes, install with %d, and restore them (nats account restore).\n" (.spec.replicas | int) ($.Values.nats.replicas | int) ($.Values.nats.replicas | int)) -}}
{{- end -}}
{{- end -}}
{{- end }}
