export const OVERLOAD_REFUSALS = 'overload_refusals_total';

/**
 * Where a request was refused: at the edge because the database or the event loop has too much to do, or later by
 * a full queue of its own (passwords, exports).
 */
export type RefusalReason = 'database' | 'event_loop' | 'queue';

/** Counts requests whose rate limit one instance judged alone, because Redis did not answer in time. */
export const LOCAL_LIMITS = 'rate_limit_local_total';
