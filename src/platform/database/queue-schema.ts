/** The schema with the tables and functions of the task queue (graphile-worker). */
export const QUEUE_SCHEMA = 'graphile_worker';
