import { AuditEntriesRepository } from '../../../src/modules/audit/audit-entries.repository.js';
import type { AuditFilters } from '../../../src/modules/audit/audit-filters.types.js';
import { SqlRunner } from '../../../src/platform/database/sql.runner.js';
import { UnitOfWork } from '../../../src/platform/database/transactions/unit-of-work.js';
import type { TestApp } from '../app/test-app.js';

/** The number of entries on the pages of {@link rowsReadBy}. */
export const AUDIT_PAGE = 20;

interface PlanNode {
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** Runs the statement of a page and returns the number of rows that each node of its plan read or handed on. */
export async function rowsReadBy(app: TestApp, filters: AuditFilters): Promise<number[]> {
  const sql = new SqlRunner(app.dataSource);
  const rows = sql.rows.bind(sql);
  sql.rows = <Row>(statement: string, values?: readonly unknown[]) =>
    rows<Row>(`EXPLAIN (ANALYZE, FORMAT JSON) ${statement}`, values);
  const entries = new AuditEntriesRepository(app.nest.get(UnitOfWork), sql);
  const [answer] = await entries.findPage(filters, { limit: AUDIT_PAGE, offset: 0, after: null });
  const [{ Plan: root }] = (answer as unknown as { 'QUERY PLAN': [{ Plan: PlanNode }] })['QUERY PLAN'];
  const rowsOf = (node: PlanNode): number[] => [
    (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'],
    ...(node.Plans ?? []).flatMap(rowsOf),
  ];
  return rowsOf(root);
}
