{{/*
The name everything begins with: the release's, with "aideator" in it. 40 characters at most, so that every
name made from it stays a label; what is cut gets a hash, so that two long releases don't meet. A Service's name
begins with a letter and has no dot.
*/}}
{{- define "aideator.fullname" -}}
{{- $release := .Release.Name -}}
{{- $name := $release | replace "." "-" -}}
{{- if regexMatch "^[0-9]" $name }}{{ $name = printf "aideator-%s" $name }}
{{- else if not (contains "aideator" $name) }}{{ $name = printf "%s-aideator" $name }}{{ end -}}
{{- if or (gt (len $name) 40) (contains "." $release) }}
{{- $name = printf "%s-%s" (trunc 31 $name | trimSuffix "-") (sha256sum $release | trunc 8) }}{{ end -}}
{{- $name -}}
{{- end }}

{{/* Labels that select a component: include "aideator.selector" (list $ "edge") */}}
{{- define "aideator.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: aideator
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* All labels of a component's objects. Its pods carry the selector alone, so that a new version of the chart restarts nothing by itself. */}}
{{- define "aideator.labels" -}}
{{- $root := index . 0 -}}
{{ include "aideator.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Image and pull policy of a container: include "aideator.image" (list $ "edge") */}}
{{- define "aideator.image" -}}
{{- with (index . 0) -}}
image: {{ with .Values.image.registry }}{{ trimSuffix "/" . }}/{{ end }}aideator/{{ index $ 1 }}:{{ .Values.image.tag | default .Chart.AppVersion }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}
{{- end }}

{{/*
What Pod Security `restricted` asks of a pod, what no pod of ours needs, and where it may run:
include "aideator.pod" (list $ .Values) for services, (list $ .Values.agents) for agents
*/}}
{{- define "aideator.pod" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with (index . 0).Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with (index . 1).nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with (index . 1).tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What Pod Security `restricted` asks of a container, and a root filesystem nobody writes to. */}}
{{- define "aideator.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* A probe that the port accepts connections. */}}
{{- define "aideator.accepts" -}}
startupProbe:
  tcpSocket: {port: health}
  periodSeconds: 2
  failureThreshold: 300
readinessProbe:
  tcpSocket: {port: health}
  periodSeconds: 5
livenessProbe:
  tcpSocket: {port: health}
  periodSeconds: 10
  failureThreshold: 6
{{- end }}

{{/*
What a service asks for and may take. An emptyDir counts as its pod's own files, so where one stands in for a volume
its size is added; else the pod would be evicted long before it is full:
include "aideator.resources" (list RESOURCES SIZE), with an empty SIZE where there is a volume
*/}}
{{- define "aideator.resources" -}}
{{- $resources := index . 0 | deepCopy -}}
{{- with index . 1 -}}
{{- $limits := $resources.limits -}}
{{- $_ := set $limits "ephemeral-storage" (add (include "aideator.bytes" .) (include "aideator.bytes" (index $limits "ephemeral-storage")) | toString) -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end }}

{{/* Bytes of a quantity of Mi, Gi or Ti. */}}
{{- define "aideator.bytes" -}}
{{- $factor := get (dict "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776) (regexFind "[A-Z]i$" .) -}}
{{- mul (regexFind "^[0-9]+" .) $factor -}}
{{- end }}
