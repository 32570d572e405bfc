/** The schema with the tables and functions of the task queue (graphile-worker). */
export const JOB_SCHEMA = 'graphile_worker';
