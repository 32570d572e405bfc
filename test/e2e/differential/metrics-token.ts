/** The METRICS_TOKEN of the service in production mode. */
export const METRICS_TOKEN = 'metrics-of-the-differential-test-31';
