{{- define "runbook-engine.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "runbook-engine.fullname" -}}
{{- $name := include "runbook-engine.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- /* Cluster-wide objects carry the namespace too: two releases of one name may live in two namespaces. */ -}}
{{- define "runbook-engine.clusterName" -}}
{{- printf "%s.%s" .Release.Namespace (include "runbook-engine.fullname" .) -}}
{{- end }}

{{- define "runbook-engine.selectorLabels" -}}
app.kubernetes.io/name: {{ include "runbook-engine.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "runbook-engine.labels" -}}
{{ include "runbook-engine.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: runner
app.kubernetes.io/part-of: runbook-engine
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "runbook-engine.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "runbook-engine.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is empty: name the ServiceAccount that exists, since rights of \"default\" belong to every pod of the namespace (or set serviceAccount.create)" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "runbook-engine.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end }}
