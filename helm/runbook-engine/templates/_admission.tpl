{{- /* Who is meant: the runner's ServiceAccount, or the group of an EKS access entry. */ -}}
{{- define "runbook-engine.isRunner" -}}
{{- with .Values.admissionPolicy.group -}}
'{{ . }}' in request.userInfo.groups
{{- else -}}
request.userInfo.username == 'system:serviceaccount:{{ .Release.Namespace }}:{{ include "runbook-engine.serviceAccountName" . }}'
{{- end -}}
{{- end }}

{{- /* One policy and its binding. Takes root, subject, rules and validations, a list of [expression, message]. */ -}}
{{- define "runbook-engine.policy" -}}
{{- $name := printf "%s.%s" (include "runbook-engine.clusterName" .root) .subject -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ $name }}
  labels:
    {{- include "runbook-engine.labels" .root | nindent 4 }}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      {{- .rules | trim | nindent 6 }}
  matchConditions:
    - name: is-the-runner
      expression: {{ include "runbook-engine.isRunner" .root | quote }}
  validations:
    {{- range .validations }}
    - expression: {{ first . | quote }}
      message: {{ last . | quote }}
      reason: Forbidden
    {{- end }}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ $name }}
  labels:
    {{- include "runbook-engine.labels" .root | nindent 4 }}
spec:
  policyName: {{ $name }}
  validationActions: {{ toJson .root.Values.admissionPolicy.actions }}
{{- end }}

{{- define "runbook-engine.scaleRules" -}}
- {apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments/scale, statefulsets/scale]}
{{- end }}

{{- define "runbook-engine.workloadRules" -}}
- {apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments, statefulsets, daemonsets]}
{{- end }}

{{- define "runbook-engine.nodeRules" -}}
- {apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [nodes]}
{{- end }}

{{- /* An eviction's own deletion is not admitted again, so both are named. */ -}}
{{- define "runbook-engine.podRules" -}}
- {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods/eviction]}
- {apiGroups: [""], apiVersions: [v1], operations: [DELETE], resources: [pods]}
{{- end }}
