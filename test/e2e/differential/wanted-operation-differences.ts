import { addMetric, all, replaceText } from './wanted-changes.js';
import type { WantedDifference } from './wanted-differences.js';

/** The metrics that came before another one, each with its type and help. */
const METRICS: Readonly<Record<string, readonly (readonly [name: string, type: string, help: string])[]>> = {
  breached_password_checks_total: [
    [
      'otel_spans_dropped_total',
      'counter',
      'Spans recorded and not sent, because too many waited or the collector did not take them',
    ],
  ],
  event_streams_open: [
    [
      'principal_cache_lookups_total',
      'counter',
      'Look-ups of callers in the cache; bypass while notifications do not arrive',
    ],
    ['principal_cache_entries', 'gauge', 'Callers in the cache, including refused ones'],
  ],
  webhook_attempts_total: [
    ['jobs_open', 'gauge', 'Unfinished jobs, up to 10,000'],
    ['jobs_oldest_seconds', 'gauge', 'Time for which the oldest queued job has waited'],
    ['jobs_ended_total', 'counter', 'Jobs that ran to their end on this instance'],
    ['exports_open', 'gauge', 'Exports that this instance is sending'],
    ['exports_started_total', 'counter', 'Exports that began, or went on after a break'],
    ['export_rows_total', 'counter', 'Rows sent by exports'],
  ],
  outbound_requests_total: [
    [
      'webhook_lag_seconds',
      'gauge',
      'Time for which the oldest due delivery of an active webhook has waited',
    ],
  ],
  http_requests_total: [
    ['seal_lag_seconds', 'gauge', 'Age of the oldest audit entry without a seal; 0 if all have one'],
    ['seal_duration_seconds', 'histogram', 'Time to write a seal, on the instance that wrote it'],
    ['seal_entries_total', 'counter', 'Audit entries that this instance has sealed'],
  ],
  build_info: [
    [
      'rate_limit_refusals_total',
      'counter',
      'Requests refused by a rate limit, by the bucket that was empty',
    ],
    [
      'database_up',
      'gauge',
      'Whether the database answers and accepts writes: 1 or 0, as the readiness probe sees it',
    ],
    [
      'database_listener_deaf',
      'gauge',
      'Whether notifications do not arrive, so that every request looks its caller up: 1 or 0',
    ],
    ['mails_total', 'counter', 'Attempts to send a mail'],
    [
      'task_queue_tasks',
      'gauge',
      'Queued tasks by name and state, up to 100,000; the retries of failed tasks wait',
    ],
    ['task_queue_oldest_seconds', 'gauge', 'Time for which the oldest due task has waited'],
    ['task_runs_total', 'counter', 'Tasks that this instance has run'],
  ],
};

/** The metrics and commands for operators. */
export const operationDifferences: readonly WantedDifference[] = [
  {
    exchanges: /^(?:first-reads|production): GET \/metrics/,
    change: all(
      ...Object.entries(METRICS).flatMap(([before, metrics]) =>
        metrics.map((metric) => addMetric(before, metric)),
      ),
    ),
    reason: 'queues, caches, seals, exports and mails are measured (docs/reference/metrics.md)',
  },
  {
    exchanges: /^headers: PATCH \/api\/users\/me as ada: a trace$/,
    change: replaceText(/(?<=\nlog .*"status":200,)/g, '"trace_id":"0af7651916cd43dd8448eb211c80319c",'),
    reason: 'the log line of a request names its trace (ADR 75)',
  },
  {
    exchanges: /: GET \/api\/roles/,
    change: all(
      replaceText(/( +)"jobs:manage",\n(?= +"resources:transfer")/g, '$&$1"operations:manage",\n'),
      replaceText(/("name": "admin",(?:.*\n)+?.*"version": )2\b/g, '$13'),
      replaceText('"admin.2"', '"admin.3"'),
    ),
    reason: 'the role admin has a new permission, and so a new version',
  },
  {
    exchanges: /: PUT \/api\/roles\//,
    change: replaceText('flags:manage, jobs:manage', 'flags:manage, jobs:manage, operations:manage'),
    reason: 'the message lists the new permission',
  },
  {
    exchanges: /^history: GET \/api\/audit/,
    change: replaceText('job.cancel, key.rotate', 'job.cancel, key.rotate, instance.set_log_level'),
    reason: 'the message lists the new action',
  },
];
