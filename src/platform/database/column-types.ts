import type { ColumnType, DataSource } from 'typeorm';

/** Column types of PostgreSQL that TypeORM does not list. pg returns both as text. */
export const XID8 = 'xid8' as ColumnType;
export const PG_SNAPSHOT = 'pg_snapshot' as ColumnType;

/** Lets the entities of a data source use these types. Call it before `initialize()`. */
export function withPostgresTypes(dataSource: DataSource): DataSource {
  dataSource.driver.supportedDataTypes.push(XID8, PG_SNAPSHOT);
  return dataSource;
}
