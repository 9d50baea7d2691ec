{{- define "checkout.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "checkout.fullname" -}}
{{- $name := include "checkout.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "checkout.selectorLabels" -}}
app.kubernetes.io/name: {{ include "checkout.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "checkout.labels" -}}
{{ include "checkout.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: service
app.kubernetes.io/part-of: shop
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "checkout.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "checkout.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is empty: name the ServiceAccount that exists, since rights of \"default\" belong to every pod of the namespace (or set serviceAccount.create)" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- /* Takes an image of the values and the tag that it has when none is said. */ -}}
{{- define "checkout.image" -}}
{{- $image := first . -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default (last .) $image.tag }}
{{- end -}}
{{- end }}

{{- define "checkout.release" -}}
{{- .Values.release.name | default .Values.image.digest | default .Values.image.tag | default .Chart.AppVersion -}}
{{- end }}

{{- define "checkout.flagsConfigMap" -}}
{{- default (printf "%s-flags" (include "checkout.fullname" .)) .Values.flags.configMap.name -}}
{{- end }}
