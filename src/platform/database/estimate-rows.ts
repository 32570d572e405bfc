import type { EntityManager } from 'typeorm';

/** Rows that an estimate counts before it asks the planner. */
const COUNTED_ROWS = 1000;

interface Plan {
  readonly 'Plan Rows': number;
  readonly Plans?: readonly Plan[];
}

/** Exact up to {@link COUNTED_ROWS}, past it the planner's guess: the cost does not grow with the answer. */
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

/** Of the answer to EXPLAIN (FORMAT JSON). */
export function readPlan(rows: unknown): { readonly Plan: Plan } {
  const [row] = rows as [{ 'QUERY PLAN': [{ Plan: Plan }] }];
  return row['QUERY PLAN'][0];
}
