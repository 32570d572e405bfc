import { register } from 'prom-client';
import { DB_DURATION } from '../../src/platform/metrics/database-metrics.js';

/** How many statements the pool of this process has sent. Heartbeats go over a connection of their own. */
export async function statements(): Promise<number> {
  const metric = await register.getSingleMetric(DB_DURATION)?.get();
  return (metric?.values ?? [])
    .filter((value) => 'metricName' in value && value.metricName === `${DB_DURATION}_count`)
    .reduce((sum, { value }) => sum + value, 0);
}

/** How many of them that work costs. Only while nothing else asks this process for anything. */
export async function statementsOf(work: () => PromiseLike<unknown>): Promise<number> {
  const before = await statements();
  await work();
  return (await statements()) - before;
}
