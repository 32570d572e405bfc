export const OVERLOAD_REFUSALS = 'overload_refusals_total';

/**
 * The place where a request was refused: at the edge because the database or the event loop is overloaded, or
 * later by a full queue (passwords, exports).
 */
export type RefusalReason = 'database' | 'event_loop' | 'queue';

/** Counts requests whose rate limit one instance decided alone, because Redis did not answer in time. */
export const LOCAL_LIMITS = 'rate_limit_local_total';
