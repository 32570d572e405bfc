/** Where the job queue (graphile-worker) keeps its tables and functions. */
export const JOB_SCHEMA = 'graphile_worker';
