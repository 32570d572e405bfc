import { register } from 'prom-client';
import { DB_DURATION } from '../../../src/platform/metrics/database.metrics.js';

/**
 * Returns the number of round trips that this process's pool has made: a statement, with those that travel with it,
 * is one. Heartbeats use a separate connection.
 */
export async function statements(): Promise<number> {
  const metric = await register.getSingleMetric(DB_DURATION)?.get();
  return (metric?.values ?? [])
    .filter((value) => 'metricName' in value && value.metricName === `${DB_DURATION}_count`)
    .reduce((sum, { value }) => sum + value, 0);
}

/** Returns the number of statements that the work sends. Valid only while nothing else uses this process. */
export async function statementsOf(work: () => PromiseLike<unknown>): Promise<number> {
  const before = await statements();
  await work();
  return (await statements()) - before;
}
