export const OVERLOAD_REFUSALS = 'overload_refusals_total';

/**
 * The place where a request was refused: at the edge because the database or the event loop is overloaded, or
 * later by a full queue (passwords, exports).
 */
export type RefusalReason = 'database' | 'event_loop' | 'queue';

/** Counts requests whose rate limit one instance decided alone, because Redis did not answer in time. */
export const LOCAL_LIMITS = 'rate_limit_local_total';

/** The upper bounds of every duration histogram, in seconds. */
export const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export const BUILD_INFO = 'build_info';

/** Counts the events that this instance has sent to Redis. */
export const SINK_SENT = 'event_sink_sent_total';

/** The age of the oldest event that Redis lacks, as the sending instance knows it. */
export const SINK_LAG = 'event_sink_lag_seconds';

export const HORIZON_LAG = 'horizon_lag_seconds';

/** Counts requests that a rate limit refused. */
export const LIMIT_REFUSALS = 'rate_limit_refusals_total';

export const DATABASE_UP = 'database_up';

/** Tells whether the listening connection has stopped hearing its own heartbeat. */
export const LISTENER_DEAF = 'database_listener_deaf';

export const MAILS = 'mails_total';

export const TASK_QUEUE = {
  tasks: 'task_queue_tasks',
  oldest: 'task_queue_oldest_seconds',
  runs: 'task_runs_total',
} as const;
