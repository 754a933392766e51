{{- define "schemagate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of every object. Longer suffixes than "-leader-election" do not exist. */}}
{{- define "schemagate.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 47 | trimSuffix "-" }}
{{- else if contains (include "schemagate.name" .) .Release.Name }}
{{- .Release.Name | trunc 47 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "schemagate.name" .) | trunc 47 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "schemagate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "schemagate.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "schemagate.labels" -}}
{{- with .Values.commonLabels }}
{{- toYaml . }}
{{ end -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{ include "schemagate.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end }}

{{- define "schemagate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "schemagate.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "schemagate.image" -}}
{{- with .Values.image.registry }}{{ . }}/{{ end }}{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}
{{- else }}:{{ default (printf "v%s" .Chart.AppVersion) .Values.image.tag }}
{{- end }}
{{- end }}

{{/* What would fail later, or not act at all, fails here. */}}
{{- define "schemagate.check" -}}
{{- if and .Values.admissionPolicies.enabled .Values.admissionPolicies.mutating (semverCompare "<1.36.0-0" .Capabilities.KubeVersion.Version) }}
{{- fail (printf "admissionPolicies.mutating is true, but Kubernetes %s has no MutatingAdmissionPolicy, which is on since 1.36: set admissionPolicies.mutating=false and put the gate into the templates of your pods" .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not (and .Values.metrics.enabled .Values.metrics.service.enabled)) }}
{{- fail "metrics.serviceMonitor.enabled is true, but there is nothing to scrape: set metrics.enabled=true and metrics.service.enabled=true" }}
{{- end }}
{{- if and .Values.metrics.readers (not .Values.rbac.create) }}
{{- fail "metrics.readers names accounts, but rbac.create is false: bind them to a role with the verb get on /metrics yourself, and leave metrics.readers empty" }}
{{- end }}
{{- end }}

{{/* A role's rules, as config/rbac has them: (list . "manager"). */}}
{{- define "schemagate.rules" -}}
{{- (index . 0).Files.Get (printf "files/rbac/%s.yaml" (index . 1)) | fromYaml | dig "rules" list | toYaml }}
{{- end }}

{{/*
The alerts, as config/components/prometheus has them. An operator that serves some
namespaces may be one of several, and another one that leads, or whose pods wait, must
not count. The leader's namespace is a label that a ServiceMonitor gives.
*/}}
{{- define "schemagate.alerts" -}}
{{- $alerts := .Files.Get "files/rules.yaml" }}
{{- if and .Values.watchNamespaces .Values.metrics.serviceMonitor.enabled }}
{{- $served := printf "namespace=~%q" (join "|" .Values.watchNamespaces) }}
{{- $alerts = $alerts
  | replace "leader_election_master_status{" (printf "leader_election_master_status{namespace=%q, " .Release.Namespace)
  | replace "kube_pod_status_scheduled{" (printf "kube_pod_status_scheduled{%s, " $served)
  | replace "(schemagate_databaseschema_waiting_pods)" (printf "(schemagate_databaseschema_waiting_pods{%s})" $served) }}
{{- end }}
{{- $alerts }}
{{- end }}

{{/* The operator's account, as the subject of a binding. */}}
{{- define "schemagate.subjects" -}}
- kind: ServiceAccount
  name: {{ include "schemagate.serviceAccountName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end }}
