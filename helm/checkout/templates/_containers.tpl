{{- /* The settings of apps/checkout, and nothing that it does not read. */ -}}
{{- define "checkout.environment" -}}
- {name: BIND, value: "0.0.0.0:{{ .Values.server.port }}"}
- {name: WORKERS, value: {{ .Values.server.workers | quote }}}
- {name: THREADS, value: {{ .Values.server.threads | quote }}}
- {name: GRACEFUL_TIMEOUT, value: {{ .Values.server.grace | quote }}}
- {name: PROMETHEUS_MULTIPROC_DIR, value: /run/checkout/metrics}
- {name: RELEASE, value: {{ include "checkout.release" . | quote }}}
- {name: DEGRADED_MODE, value: {{ .Values.degradedMode | quote }}}
{{- if ne .Values.flags.source "none" }}
- {name: FLAG_STORE, value: /run/checkout/flags/flags.json}
- {name: FLAG_NAME, value: {{ .Values.flags.name | quote }}}
- {name: FLAG_TTL, value: {{ .Values.flags.ttl | quote }}}
{{- end }}
{{- if .Values.chaos.enabled }}
- {name: KNOBS_FILE, value: /run/checkout/knobs/knobs.json}
{{- end }}
{{- range $name, $value := .Values.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- /* What copies the parameter into the file that the service reads. Takes root and once. */ -}}
{{- define "checkout.mirror" -}}
{{- with .root.Values.flags -}}
image: {{ include "checkout.image" (list .ssm.image "") | quote }}
imagePullPolicy: {{ .ssm.image.pullPolicy }}
command: [/bin/sh, /etc/checkout/mirror-flag]
args: [{{ .name | quote }}, /run/checkout/flags/flags.json, {{ $.once | ternary "once" (toString .ssm.interval) | quote }}]
env:
  - {name: AWS_REGION, value: {{ .ssm.region | quote }}}
  - {name: HOME, value: /home/mirror}
resources:
  {{- toYaml .ssm.resources | nindent 2 }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - {name: flags, mountPath: /run/checkout/flags}
  - {name: mirror, mountPath: /etc/checkout, readOnly: true}
  - {name: mirror-home, mountPath: /home/mirror}
{{- end }}
