{{/*
"true" where the whole release is rendered, empty where it is the development Job alone; fails with words where
neither can be. Every template but the development Job's asks here first.
*/}}
{{- define "aideator.all" -}}
{{- include "aideator.kubernetes" . -}}
{{- $auth := .Values.nats.auth -}}
{{- $existing := dict "server" $auth.existing.server "submitter" $auth.existing.submitter "agentKeys" $auth.existing.submitter "watcher" $auth.existing.watcher "edge" $auth.existing.edge -}}
{{- $needed := list "submitter" "agentKeys" "watcher" "edge" -}}
{{- if not .Values.nats.external.url }}{{ $needed = prepend $needed "server" }}{{ end -}}
{{- $missing := list -}}
{{- range $needed -}}
{{- if not (or (get $auth .) (get $existing .)) }}{{ $missing = append $missing (printf "nats.auth.%s" .) }}{{ end -}}
{{- end -}}
{{- if and .Values.devJob.enabled (eq (len $missing) (len $needed)) -}}
{{- else if $missing -}}
{{- fail (printf "\n\nThe keys of NATS are missing (%s). Make them and give them to helm:\n\n  (umask 077; aideator nats bootstrap --keys keys > keys.yaml)\n  helm … -f keys.yaml\n\nor name Secrets of your own in nats.auth.existing. To render the development Job alone: --set devJob.enabled=true\n" (join ", " $missing)) -}}
{{- else -}}
{{- include "aideator.authenticated" . -}}
true
{{- end -}}
{{- end }}

{{/*
Fails where native sidecars are missing. Not kubeVersion in Chart.yaml: a helm that was built without a version takes
1.20.0 for granted where it asks no cluster, and `helm template` would always fail.
*/}}
{{- define "aideator.kubernetes" -}}
{{- $version := .Capabilities.KubeVersion.Version -}}
{{- if and (semverCompare "<1.29.0-0" $version) (ne $version "v1.20.0") -}}
{{- fail (printf "\n\nKubernetes %s is too old: AIdeator needs 1.29 or newer (native sidecar containers).\n" $version) -}}
{{- end -}}
{{- end }}

{{/* Fails unless everybody who comes in is asked for a token. */}}
{{- define "aideator.authenticated" -}}
{{- $mend := "Set edge.auth.existingSecret to the name of a Secret (the usual one is aideator-secret with the key secret-key), or edge.auth.secret to a text of 32 characters or more." -}}
{{- if not (or .Values.edge.auth.existingSecret .Values.edge.auth.secret) -}}
{{- if .Values.ingress.enabled }}{{ fail (printf "\n\nThe Ingress would let everybody in without HTTP authentication. %s\n" $mend) }}{{ end -}}
{{- fail (printf "\n\nThe edges would let everybody in without HTTP authentication. %s\n" $mend) -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}{{ fail "\n\ningress.enabled needs ingress.host, the name people type.\n" }}{{ end -}}
{{- end }}

{{/* The name of the Secret with a service's NATS key: include "aideator.natsSecret" (list $ "edge") */}}
{{- define "aideator.natsSecret" -}}
{{- $root := index . 0 -}}
{{- get $root.Values.nats.auth.existing (index . 1) | default (printf "%s-nats-%s" (include "aideator.fullname" $root) (index . 1)) -}}
{{- end }}

{{/* Changes when a service's NATS key does, so that its pods start again with the new one. */}}
{{- define "aideator.natsChecksum" -}}
{{- $auth := (index . 0).Values.nats.auth -}}
{{- if eq (index . 1) "submitter" }}{{ print $auth.submitter $auth.agentKeys | sha256sum }}{{ else }}{{ get $auth (index . 1) | sha256sum }}{{ end -}}
{{- end }}

{{/* The volume with it, for a pod of that service. */}}
{{- define "aideator.natsVolume" -}}
- name: nats
  secret:
    secretName: {{ include "aideator.natsSecret" . }}
    # 0440: our group, by fsGroup, and nobody else.
    defaultMode: 288
{{- end }}

{{/* Where a service or an agent finds NATS. */}}
{{- define "aideator.natsUrl" -}}
{{- .Values.nats.external.url | default (printf "nats://%s-nats:4222" (include "aideator.fullname" .)) -}}
{{- end }}

{{/* How a service connects to NATS. */}}
{{- define "aideator.natsEnv" -}}
- name: AIDEATOR_NATS
  value: {{ include "aideator.natsUrl" . | quote }}
- name: AIDEATOR_CREDS
  value: /run/secrets/nats/user.creds
- name: RUST_LOG
  value: {{ .Values.logLevel | quote }}
{{- end }}

{{/* The name of the Secret that signs tokens, and its key. */}}
{{- define "aideator.edgeSecret" -}}
{{- if .Values.edge.auth.secret -}}
name: {{ include "aideator.fullname" . }}-edge
key: secret-key
{{- else -}}
name: {{ .Values.edge.auth.existingSecret }}
key: {{ .Values.edge.auth.key }}
{{- end }}
{{- end }}
