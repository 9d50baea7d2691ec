{{- /* What the schema cannot say: combinations that would fail in the cluster, or would be unsafe there. */ -}}
{{- define "runbook-engine.refuse" -}}
{{- $ingest := false -}}
{{- range $name, $token := (.Values.config.tokens | default dict) -}}
{{- if has "ingest" $token.roles -}}{{- $ingest = true -}}{{- end -}}
{{- range $token.secrets -}}
{{- $file := default "" .file -}}
{{- if hasPrefix "/etc/runbook/secrets/" $file -}}
{{- $secret := index (splitList "/" $file) 4 -}}
{{- if not (has $secret $.Values.secrets.files) -}}
{{- fail (printf "config.tokens.%s: the Secret %q is not mounted (add it to secrets.files)" $name $secret) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $ingest -}}
{{- fail "config.tokens: no token has the role ingest, and without one the runner refuses to listen to other pods (name one)" -}}
{{- end -}}
{{- if and .Values.serviceAccount.roleArn .Values.serviceAccount.podIdentity -}}
{{- fail "serviceAccount: roleArn is IRSA and podIdentity is EKS Pod Identity (choose one)" -}}
{{- end -}}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) -}}
{{- fail "persistence.existingClaim is set and persistence.enabled is not: the journal would not be in that claim (set persistence.enabled)" -}}
{{- end -}}
{{- if and .Values.admissionPolicy.enabled (semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version) -}}
{{- fail (printf "admissionPolicy: ValidatingAdmissionPolicy needs Kubernetes 1.30, this is %s (set admissionPolicy.enabled=false)" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if gt (int .Values.admissionPolicy.caps.minReplicas) (int .Values.admissionPolicy.caps.maxReplicas) -}}
{{- fail "admissionPolicy.caps: minReplicas is above maxReplicas, so nothing could be scaled (swap them)" -}}
{{- end -}}
{{- range $name := concat (keys .Values.env) (keys .Values.secrets.env) | sortAlpha -}}
{{- if has $name (list "RUNBOOK_RUNBOOKS" "RUNBOOK_CONFIG" "RUNBOOK_STATE" "RUNBOOK_NODE" "RUNBOOK_POD" "RUNBOOK_NAMESPACE") -}}
{{- fail (printf "env: the chart sets %s itself (remove it)" $name) -}}
{{- end -}}
{{- end -}}
{{- range concat (list .Values.rbac.rules) (values .Values.rbac.namespaces) -}}
{{- range . -}}
{{- if has "secrets" .resources -}}
{{- fail "rbac: no action needs a right to secrets, and whoever reads them is whoever they belong to (remove the rule)" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $selected := include "runbook-engine.selectorLabels" . | fromYaml -}}
{{- range $name := keys .Values.podLabels | sortAlpha -}}
{{- if hasKey $selected $name -}}
{{- fail (printf "podLabels: the chart sets %s itself, and finds its pods by it (remove it)" $name) -}}
{{- end -}}
{{- end -}}
{{- end }}
