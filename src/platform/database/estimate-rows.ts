import type { EntityManager } from 'typeorm';

/** The number of rows counted exactly before the planner's estimate is used. */
const COUNTED_ROWS = 1000;

interface Plan {
  readonly 'Plan Rows': number;
  readonly Plans?: readonly Plan[];
}

/**
 * Returns the exact number of rows up to {@link COUNTED_ROWS}, and the planner's estimate beyond it. The cost
 * therefore does not grow with the result.
 */
export async function estimateRows(
  manager: EntityManager,
  sql: string,
  parameters: unknown[],
): Promise<number> {
  const counted: [{ rows: number }] = await manager.query(
    `SELECT count(*)::integer AS rows FROM (${sql} LIMIT ${COUNTED_ROWS + 1}) AS counted`,
    parameters,
  );
  if (counted[0].rows <= COUNTED_ROWS) return counted[0].rows;
  const rows: unknown = await manager.query(`EXPLAIN (FORMAT JSON) ${sql}`, parameters);
  return readPlan(rows).Plan['Plan Rows'];
}

/** Extracts the plan from the result of EXPLAIN (FORMAT JSON). */
export function readPlan(rows: unknown): { readonly Plan: Plan } {
  const [row] = rows as [{ 'QUERY PLAN': [{ Plan: Plan }] }];
  return row['QUERY PLAN'][0];
}
