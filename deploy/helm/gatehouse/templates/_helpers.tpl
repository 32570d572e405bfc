{{- define "gatehouse.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "gatehouse.fullname" -}}
{{- $name := include "gatehouse.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The component keeps pods of migrations out of the service. Expects a list of the root and the component. */}}
{{- define "gatehouse.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "gatehouse.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "gatehouse.labels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{ include "gatehouse.selectorLabels" . }}
{{- end -}}

{{- define "gatehouse.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Helm reads every number as a float, which would print 10485760 as 1.048576e+07. */}}
{{- define "gatehouse.value" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- end -}}

{{/* Every stop ends within SHUTDOWN_DEADLINE_MS, and a forced one 5 s later. */}}
{{- define "gatehouse.gracePeriodSeconds" -}}
{{- $deadlineMs := int64 (default 25000 .Values.config.SHUTDOWN_DEADLINE_MS) -}}
{{- add (div (add $deadlineMs 999) 1000) 10 -}}
{{- end -}}

{{- define "gatehouse.environment" -}}
- name: HEALTH_PORT
  value: '3001'
{{- if .Values.persistence.enabled }}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
{{- end }}
{{- range $name, $value := .Values.config }}
- name: {{ $name }}
  value: {{ include "gatehouse.value" $value | quote }}
{{- end }}
{{- $required := list "DATABASE_URL" "MIGRATION_DATABASE_URL" "MASTER_KEY" "METRICS_TOKEN" }}
{{- $optional := list "ADMIN_PASSWORD" "LISTEN_DATABASE_URL" "OTEL_EXPORTER_OTLP_HEADERS" "REDIS_URL" "SMTP_URL" }}
{{- range concat $required $optional }}
{{- $reference := get $.Values.secrets.references . }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      {{- if $reference }}
      name: {{ $reference.name }}
      key: {{ $reference.key }}
      {{- else }}
      name: {{ $.Values.secrets.existingSecret }}
      key: {{ . }}
      {{- if has . $optional }}
      optional: true
      {{- end }}
      {{- end }}
{{- end }}
{{- end -}}

{{/* What the pods of the service and of migrations have in common. */}}
{{- define "gatehouse.podSettings" -}}
automountServiceAccountToken: false
# Otherwise a service named `db` would set DB_PORT here, and so on.
enableServiceLinks: false
{{- with .Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
# The user of the image.
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "gatehouse.containerSettings" -}}
image: {{ include "gatehouse.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  {{- include "gatehouse.environment" . | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* The rules of both network policies. */}}
{{- define "gatehouse.egress" -}}
{{- $egress := .Values.networkPolicy.egress -}}
- ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
  {{- with $egress.dns.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- range list $egress.postgres $egress.redis $egress.smtp }}
{{- if .ports }}
- ports:
    {{- range .ports }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
{{- if $egress.https.ports }}
- ports:
    {{- range $egress.https.ports }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
  to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
    - ipBlock:
        cidr: ::/0
        except: [fc00::/7, fe80::/10]
{{- end }}
{{- end -}}
