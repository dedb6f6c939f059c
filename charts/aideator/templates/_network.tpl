{{/* Egress rules that several policies share. Each is a list of rules, or nothing. */}}

{{- define "aideator.egress.dns" -}}
- to:
    {{- toYaml .Values.networkPolicy.dns | nindent 4 }}
  ports:
    {{- range .Values.networkPolicy.dnsPorts }}
    - {port: {{ . | int }}, protocol: UDP}
    - {port: {{ . | int }}, protocol: TCP}
    {{- end }}
{{- end }}

{{- define "aideator.egress.nats" -}}
{{- with .Values.nats.external.url -}}
- ports:
    - {port: {{ include "aideator.port" (list . 4222) }}, protocol: TCP}
  {{- with $.Values.networkPolicy.externalNats }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- else -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "aideator.selector" (list . "nats") | nindent 10 }}
  ports:
    - {port: 4222, protocol: TCP}
{{- end }}
{{- end }}

{{- define "aideator.egress.apiServer" -}}
- ports:
    {{- range .Values.networkPolicy.apiServerPorts }}
    - {port: {{ . | int }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicy.apiServer }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "aideator.egress.surreal" -}}
{{- with .Values.watcher.surreal.url -}}
- ports:
    - {port: {{ include "aideator.port" (list . 80) }}, protocol: TCP}
  {{- with $.Values.networkPolicy.surreal }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The internet on port 443, without private, shared, link-local (metadata servers), test and reserved addresses. */}}
{{- define "aideator.egress.internet" -}}
{{- with .Values.networkPolicy -}}
{{- if or .internet .internet6 -}}
- ports:
    - {port: 443, protocol: TCP}
  to:
    {{- if .internet }}
    - ipBlock:
        cidr: 0.0.0.0/0
        except:
          - 0.0.0.0/8
          - 10.0.0.0/8
          - 100.64.0.0/10
          - 127.0.0.0/8
          - 169.254.0.0/16
          - 172.16.0.0/12
          - 192.0.0.0/24
          - 192.0.2.0/24
          - 192.88.99.0/24
          - 192.168.0.0/16
          - 198.18.0.0/15
          - 198.51.100.0/24
          - 203.0.113.0/24
          - 224.0.0.0/4
          - 240.0.0.0/4
    {{- end }}
    {{- if .internet6 }}
    - ipBlock:
        cidr: 2000::/3
        except:
          - 2001::/23
          - 2001:db8::/32
          - 2002::/16
          - 3fff::/20
    {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The port of a URL: include "aideator.port" (list URL DEFAULT) */}}
{{- define "aideator.port" -}}
{{- regexFind ":[0-9]+$" (urlParse (index . 0)).host | trimPrefix ":" | default (index . 1) -}}
{{- end }}

{{/* A policy's head; it closes both directions: include "aideator.policy" (list $ "edge") */}}
{{- define "aideator.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "aideator.fullname" (index . 0) }}-{{ index . 1 }}
  labels:
    {{- include "aideator.labels" . | nindent 4 }}
spec:
  policyTypes: [Ingress, Egress]
{{- end }}
