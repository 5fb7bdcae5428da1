{{- define "kelpmq.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "kelpmq.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "kelpmq.labels" -}}
{{ include "kelpmq.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* The kubelet's gRPC probe speaks no TLS; the image's own health check does. */ -}}
{{- define "kelpmq.probe" -}}
{{- if .Values.tls.secretName -}}
exec:
  command: [/usr/bin/kelpmq, healthcheck]
timeoutSeconds: 5
{{- else -}}
grpc:
  port: 50672
{{- end -}}
{{- end -}}

{{- define "kelpmq.securityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
privileged: false
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /*
The broker as a native sidecar, an element of the initContainers of a chart that depends on this one
and sets kelpmq.enabled=false:

  initContainers:
    {{- include "kelpmq.sidecar" (dict "image" "kelpmq:0.1.0") | nindent 8 }}

It listens on 127.0.0.1:50672 of the pod. resources: optional, those of the container.
*/ -}}
{{- define "kelpmq.sidecar" -}}
- name: kelpmq
  image: {{ required "kelpmq.sidecar: image" .image | quote }}
  restartPolicy: Always
  args: [serve]
  env:
    - name: KELPMQ_DRAIN_TIMEOUT
      value: 20s
  startupProbe:
    exec:
      command: [/usr/bin/kelpmq, healthcheck]
    periodSeconds: 1
    timeoutSeconds: 5
    failureThreshold: 30
  livenessProbe:
    exec:
      command: [/usr/bin/kelpmq, healthcheck]
    timeoutSeconds: 5
  lifecycle:
    preStop:
      sleep:
        seconds: 3
  resources:
    {{- toYaml (.resources | default (dict "requests" (dict "cpu" "50m" "memory" "64Mi") "limits" (dict "memory" "256Mi"))) | nindent 4 }}
  securityContext:
    {{- include "kelpmq.securityContext" . | nindent 4 }}
{{- end -}}
