{{- /* What the schema cannot say: combinations that would fail in the cluster, or would be unsafe there. */ -}}
{{- define "checkout.refuse" -}}
{{- if and .Values.chaos.enabled (eq .Values.environment "production") -}}
{{- fail "chaos: faults are not injected in production (set environment to development or staging, or chaos.enabled=false)" -}}
{{- end -}}
{{- if and (not .Values.chaos.enabled) (or .Values.chaos.errorRate .Values.chaos.latencyMs .Values.chaos.crashRate) -}}
{{- fail "chaos: a fault is set and chaos.enabled is not: it would do nothing (set chaos.enabled, or every fault to 0)" -}}
{{- end -}}
{{- if and (eq .Values.flags.source "ssm") (not .Values.flags.ssm.region) -}}
{{- fail "flags.ssm.region is empty: name the region that the parameter is in" -}}
{{- end -}}
{{- if and .Values.flags.configMap.name (ne .Values.flags.source "configMap") -}}
{{- fail (printf "flags.configMap.name is set and flags.source is %s: the ConfigMap would not be read (set flags.source=configMap)" .Values.flags.source) -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts is empty: every name that reaches the load balancer would be answered (name the hosts)" -}}
{{- end -}}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) -}}
{{- fail "autoscaling: minReplicas is above maxReplicas (swap them)" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not (dig "requests" "cpu" "" .Values.resources)) -}}
{{- fail "autoscaling: cpu is a percentage of the requested CPU, and resources.requests.cpu is not set (set it)" -}}
{{- end -}}
{{- $ours := list "BIND" "WORKERS" "THREADS" "GRACEFUL_TIMEOUT" "PROMETHEUS_MULTIPROC_DIR" "RELEASE" "DEGRADED_MODE" "FLAG_STORE" "FLAG_NAME" "FLAG_TTL" "KNOBS_FILE" "ERROR_RATE" "LATENCY_MS" "CRASH_RATE" -}}
{{- range $name := keys .Values.env | sortAlpha -}}
{{- if has $name $ours -}}
{{- fail (printf "env: the chart sets %s itself, from a value of its own (remove it)" $name) -}}
{{- end -}}
{{- end -}}
{{- $selected := include "checkout.selectorLabels" . | fromYaml -}}
{{- range $name := keys .Values.podLabels | sortAlpha -}}
{{- if hasKey $selected $name -}}
{{- fail (printf "podLabels: the chart sets %s itself, and finds its pods by it (remove it)" $name) -}}
{{- end -}}
{{- end -}}
{{- end }}
