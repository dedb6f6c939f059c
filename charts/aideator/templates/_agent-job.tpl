{{/*
The one template of an agent's Job, used twice:
  include "aideator.agentJob" (dict "root" $ "dev" "")      for the submitter, which completes it
  include "aideator.agentJob" (dict "root" $ "dev" NAME)    the development Job, which runs as it is

The submitter sets the name, the namespace, the labels of run, variation and attempt, activeDeadlineSeconds, the brain's
AIDEATOR_RUN, AIDEATOR_VARIATION and AIDEATOR_ATTEMPT, and the Secret of the volume `credentials`.

The development Job differs in its name and component label (the watcher must not take it for an attempt), the brain's
arguments and environment, and in having no credential. No text of a user is ever put here: an attempt reads its
prompt from JetStream.
*/}}
{{- define "aideator.agentJob" -}}
{{- $dev := .dev -}}
{{- $component := ternary "agent-dev" "agent" (ne $dev "") -}}
{{- with .root -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- with $dev }}
  name: {{ . }}
  {{- end }}
  labels:
    {{- include "aideator.selector" (list . $component) | nindent 4 }}
    {{- with .Values.agents.queueName }}
    kueue.x-k8s.io/queue-name: {{ . }}
    {{- end }}
spec:
  # A rerun is a new attempt, by the submitter's decision; so nothing is tried again here, whatever ended it.
  backoffLimit: 0
  podReplacementPolicy: Failed
  podFailurePolicy:
    rules:
      - action: FailJob
        onPodConditions:
          - type: DisruptionTarget
            status: "True"
      - action: FailJob
        onExitCodes:
          containerName: brain
          operator: NotIn
          values: [0]
  ttlSecondsAfterFinished: {{ .Values.agents.ttlSecondsAfterFinished | int }}
  template:
    metadata:
      labels:
        {{- include "aideator.selector" (list . $component) | nindent 8 }}
    spec:
      restartPolicy: Never
      # Of the pod, because a pod with a deadline is what the quota of agents counts. For the default deadline of a
      # request; the submitter sets what the request says.
      activeDeadlineSeconds: {{ add (.Values.startAllowanceSeconds | int) 1830 }}
      # The brain has ten seconds to flush and report.
      terminationGracePeriodSeconds: 15
      automountServiceAccountToken: false
      {{- include "aideator.pod" (list . .Values.agents) | nindent 6 }}
      {{- with .Values.agents.runtimeClassName }}
      runtimeClassName: {{ . }}
      {{- end }}
      initContainers:
        # A native sidecar: it starts before the brain, outlives it, and the pod does not wait for its end. It holds the
        # workspace, and no secret.
        - name: hands
          {{- include "aideator.image" (list . "agent") | nindent 10 }}
          restartPolicy: Always
          args: [hands, --workspace, /workspace, --socket, /run/aideator/hands.sock]
          startupProbe:
            exec:
              command: [test, -S, /run/aideator/hands.sock]
            periodSeconds: 1
            failureThreshold: 60
          {{- include "aideator.container" . | nindent 10 }}
          resources:
            {{- toYaml .Values.agents.hands.resources | nindent 12 }}
          volumeMounts:
            - {name: socket, mountPath: /run/aideator}
            - {name: workspace, mountPath: /workspace}
            - {name: tmp, mountPath: /tmp}
      containers:
        - name: brain
          {{- include "aideator.image" (list . "agent") | nindent 10 }}
          args: [{{ ternary "try" "brain" (ne $dev "") }}]
          env:
            - name: AIDEATOR_HANDS_SOCKET
              value: /run/aideator/hands.sock
            - name: RUST_LOG
              value: {{ .Values.logLevel | quote }}
            {{- with .Values.agents.baseUrl }}
            - name: AIDEATOR_BASE_URL
              value: {{ . | quote }}
            {{- end }}
            {{- range $name, $from := .Values.agents.providerKeys }}
            - name: {{ $name }}
              valueFrom:
                secretKeyRef:
                  name: {{ $from.secret }}
                  key: {{ $from.key }}
                  optional: true
            {{- end }}
            {{- if $dev }}
            # Kubernetes would put variables in place of $(NAME).
            - name: REPO_URL
              value: {{ .Values.devJob.repoUrl | replace "$(" "$$(" | quote }}
            - name: PROMPT
              value: {{ .Values.devJob.prompt | replace "$(" "$$(" | quote }}
            - name: MODEL
              value: {{ .Values.devJob.model | replace "$(" "$$(" | quote }}
            {{- with .Values.submitter.trustedHosts }}
            - name: AIDEATOR_TRUSTED_HOSTS
              value: {{ join "," . | quote }}
            {{- end }}
            {{- else }}
            - name: AIDEATOR_NATS
              value: {{ include "aideator.natsUrl" . | quote }}
            - name: AIDEATOR_CREDS
              value: /run/secrets/aideator/agent.creds
            {{- end }}
          {{- include "aideator.container" . | nindent 10 }}
          resources:
            {{- toYaml .Values.agents.brain.resources | nindent 12 }}
          volumeMounts:
            - {name: socket, mountPath: /run/aideator}
            {{- if not $dev }}
            - {name: credentials, mountPath: /run/secrets/aideator, readOnly: true}
            {{- end }}
      volumes:
        - name: socket
          emptyDir: {sizeLimit: 1Mi}
        - name: workspace
          emptyDir: {sizeLimit: {{ .Values.agents.hands.workspaceSize }}}
        - name: tmp
          emptyDir: {sizeLimit: {{ .Values.agents.hands.tmpSize }}}
        {{- if not $dev }}
        - name: credentials
          secret:
            secretName: set-by-the-submitter
            # 0440: our group, by fsGroup, and nobody else.
            defaultMode: 288
        {{- end }}
{{- end }}
{{- end }}
