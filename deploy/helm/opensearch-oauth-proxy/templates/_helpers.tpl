{{- define "proxy.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "proxy.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "proxy.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "proxy.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "proxy.selector" -}}
app.kubernetes.io/name: {{ include "proxy.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "proxy.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "proxy.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "proxy.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "proxy.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "proxy.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "proxy.secret" -}}
{{- default (include "proxy.fullname" .) .Values.existingSecret -}}
{{- end -}}

{{/* How long a pod waits before it is told to stop. Kubernetes waits by itself from 1.30 on; the image has no program for it. */}}
{{- define "proxy.preStop" -}}
{{- if and .Values.preStopSeconds (semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version) -}}
{{- .Values.preStopSeconds -}}
{{- end -}}
{{- end -}}

{{/* `drain_timeout` of the configuration in seconds. */}}
{{- define "proxy.drain" -}}
{{- $duration := default "30s" .Values.config.drain_timeout -}}
{{- $number := regexFind "^[0-9]+" $duration | int -}}
{{- if hasSuffix "ms" $duration -}}{{- div $number 1000 -}}
{{- else if hasSuffix "m" $duration -}}{{- mul $number 60 -}}
{{- else -}}{{- $number -}}
{{- end -}}
{{- end -}}

{{/* The configuration with what a pod needs. What the values say counts. */}}
{{- define "proxy.config" -}}
{{- $defaults := dict "listen" (dict "address" "0.0.0.0:8443") "admin" (dict "address" "0.0.0.0:9600" "allow_remote" true) -}}
{{- if not (hasKey .Values.config "audit") -}}
{{- $_ := set $defaults "audit" (dict "sink" (dict "stdout" dict)) -}}
{{- end -}}
{{- merge (deepCopy .Values.config) $defaults | toYaml -}}
{{- end -}}

{{/* What values say that cannot be. */}}
{{- define "proxy.check" -}}
{{- if and (not .Values.config) (not .Values.existingSecret) -}}
{{- fail "config: say what the proxy is to do (docs/configuration.md), or name a Secret with a config.yml in existingSecret" -}}
{{- end -}}
{{- if and .Values.config .Values.existingSecret -}}
{{- fail "config and existingSecret: one of them only" -}}
{{- end -}}
{{- $needed := add (include "proxy.preStop" . | int) (include "proxy.drain" . | int) 15 -}}
{{- if le (int .Values.terminationGracePeriodSeconds) (int $needed) -}}
{{- fail (printf "terminationGracePeriodSeconds: must be longer than preStopSeconds, drain_timeout and 15 seconds together, which are %d" $needed) -}}
{{- end -}}
{{- if and .Values.persistence.enabled (or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1)) -}}
{{- fail "persistence: a file of managed tokens belongs to one proxy; set replicaCount: 1 without autoscaling, or share tokens by tokens.store.opensearch" -}}
{{- end -}}
{{- end -}}
