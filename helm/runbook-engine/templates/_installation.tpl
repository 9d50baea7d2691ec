{{- /* Whether an adapter asks the API server with this pod's own token. A port holds one adapter or a list of them. */ -}}
{{- define "runbook-engine.automountToken" -}}
{{- $found := false -}}
{{- range $port, $written := (.Values.config.adapters | default dict) -}}
{{- range (kindIs "map" $written | ternary (list $written) $written) -}}
{{- if and (eq (default "" .adapter) "kubernetes") (eq (default "" .auth) "inCluster") -}}
{{- $found = true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if kindIs "bool" .Values.serviceAccount.automountToken -}}
{{- .Values.serviceAccount.automountToken -}}
{{- else -}}
{{- $found -}}
{{- end -}}
{{- end }}

{{- /*
Runbooks by folder, as JSON. A ConfigMap's key cannot hold a slash, and the engine does not follow symbolic links
between folders, which is what a ConfigMap with paths would be. So each folder is a ConfigMap of its own, mounted as
a real folder whose files are siblings, as in the working copy.
*/ -}}
{{- define "runbook-engine.folders" -}}
{{- $folders := dict -}}
{{- range $path, $content := .Values.runbooks -}}
{{- $folder := dir $path | replace "/" "." -}}
{{- $_ := set $folders $folder (set (get $folders $folder | default dict) (base $path) $content) -}}
{{- end -}}
{{- if not (or $folders .Values.runbooksFrom) -}}
{{- $_ := set $folders "." dict -}}
{{- end -}}
{{- toJson $folders -}}
{{- end }}

{{- /* What is mounted below /etc/runbook/runbooks: folder -> ConfigMap, as JSON. */ -}}
{{- define "runbook-engine.mounts" -}}
{{- $mounts := dict -}}
{{- range $folder, $files := include "runbook-engine.folders" . | fromJson -}}
{{- $_ := set $mounts (include "runbook-engine.mountOf" $folder) (printf "%s%s" (include "runbook-engine.fullname" $) (include "runbook-engine.suffixOf" $folder)) -}}
{{- end -}}
{{- range .Values.runbooksFrom -}}
{{- $folder := include "runbook-engine.mountOf" (default "." .folder | replace "/" ".") -}}
{{- if hasKey $mounts $folder -}}
{{- fail (printf "runbooksFrom: the folder %q has runbooks already, from %s (give %s a folder of its own)" (default "" .folder) (get $mounts $folder) .configMap) -}}
{{- end -}}
{{- $_ := set $mounts $folder .configMap -}}
{{- end -}}
{{- toJson $mounts -}}
{{- end }}

{{- define "runbook-engine.mountOf" -}}
{{- eq . "." | ternary "_top" . -}}
{{- end }}

{{- define "runbook-engine.suffixOf" -}}
-runbooks{{ if ne . "." }}-{{ . }}{{ end }}
{{- end }}
