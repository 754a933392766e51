{{/*
For the labels of a pod template: the name of the DatabaseSchema that its pods wait
for, in the namespace that they are in.

  labels:
    {{- include "schemagate.podLabels" "open-webui" | nindent 8 }}
*/}}
{{- define "schemagate.podLabels" -}}
schemagate.dev/schema: {{ required "schemagate.podLabels wants the name of a DatabaseSchema" . | quote }}
{{- end }}

{{/*
For the spec of a pod template: the gate, where the API server does not put it on by
itself. Kubernetes has the policies that do since 1.36. On newer clusters that run
without them set the value schemagate.podTemplateGate to true.

  spec:
    {{- include "schemagate.podTemplateGate" . | nindent 6 }}
*/}}
{{- define "schemagate.podTemplateGate" -}}
{{- if eq (include "schemagate.needsPodTemplateGate" .) "true" -}}
schedulingGates:
- name: schemagate.dev/schema
{{- end }}
{{- end }}

{{/*
For the environment of the application's container: its own migrations off, where
the API server does not switch them off by itself.

  env:
    {{- include "schemagate.podTemplateEnv" . | nindent 8 }}
*/}}
{{- define "schemagate.podTemplateEnv" -}}
{{- if eq (include "schemagate.needsPodTemplateGate" .) "true" -}}
- name: ENABLE_DB_MIGRATIONS
  value: "false"
{{- end }}
{{- end }}

{{/*
Whether the gate belongs into the pod template. What the value says counts, even
false; without it, the version of the cluster.
*/}}
{{- define "schemagate.needsPodTemplateGate" -}}
{{- $said := dig "schemagate" "podTemplateGate" nil .Values.AsMap }}
{{- if kindIs "bool" $said }}
{{- $said }}
{{- else }}
{{- semverCompare "<1.36.0-0" .Capabilities.KubeVersion.Version }}
{{- end }}
{{- end }}
