import type { SqlRunner } from './sql.runner.js';

/** The number of rows counted exactly before the planner's estimate is used. */
export const MAX_COUNTED_ROWS = 1000;

interface Plan {
  readonly 'Plan Rows': number;
  readonly Plans?: readonly Plan[];
}

/**
 * Returns the exact number of rows up to {@link MAX_COUNTED_ROWS}, and the planner's estimate beyond it. The cost
 * therefore does not grow with the result.
 */
export async function estimateRows(
  sql: SqlRunner,
  select: string,
  parameters: readonly unknown[],
): Promise<number> {
  const counted = await sql.one<{ rows: number }>(
    `SELECT count(*)::integer AS rows FROM (${select} LIMIT ${MAX_COUNTED_ROWS + 1}) AS counted`,
    parameters,
  );
  if (counted.rows <= MAX_COUNTED_ROWS) return counted.rows;
  return (await planOf(sql, select, parameters))['Plan Rows'];
}

/** Returns the planner's plan for a SELECT, without running it. */
export async function planOf(sql: SqlRunner, select: string, parameters: readonly unknown[]): Promise<Plan> {
  const explained = await sql.one<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
    `EXPLAIN (FORMAT JSON) ${select}`,
    parameters,
  );
  return explained['QUERY PLAN'][0].Plan;
}
