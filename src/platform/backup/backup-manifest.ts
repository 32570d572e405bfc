import { z } from 'zod';
import { BackupFileError } from './backup-file.error.js';

const name = z.string().min(1);
const count = z.number().int().min(0);

const table = z.object({
  /** The schema and the name, quoted as in SQL. */
  name,
  columns: z.array(name),
  /** The table that this is a partition of. */
  partitionOf: name.nullable(),
});

const opening = z.object({
  /** The version of Gatehouse that wrote the backup. */
  version: z.string(),
  /** The time of the snapshot, by the clock of the database. */
  createdAt: z.iso.datetime(),
  serverVersion: z.string(),
  /** The names of the migrations in the order in which they ran. The last one is the version of the schema. */
  migrations: z.array(name).min(1),
  /** A digest by the master key, which shows whether another one is the same. */
  masterKey: z.string(),
  /** Everything before the horizon is in the backup, and nothing after it that was not committed. */
  position: z.object({ epoch: count, horizon: z.string() }),
  tables: z.array(table).min(1),
  sequences: z.array(z.object({ name, lastValue: z.string(), isCalled: z.boolean() })),
});

const tableEnd = z.object({ name, rows: count, bytes: count, sha256: z.string() });

const closing = z.object({ tables: z.array(tableEnd) });

/** The description of a backup before its first row. */
export type BackupOpening = z.infer<typeof opening>;
export type BackupTable = z.infer<typeof table>;
/** The measure of what COPY wrote of a table. */
export type TableEnd = z.infer<typeof tableEnd>;

/** The description of a whole backup. */
export interface BackupManifest extends BackupOpening {
  readonly contents: readonly TableEnd[];
}

export const parseOpening = (body: Buffer): BackupOpening => parse(opening, body);
export const parseTableEnd = (body: Buffer): TableEnd => parse(tableEnd, body);
export const parseClosing = (body: Buffer): { readonly tables: readonly TableEnd[] } => parse(closing, body);

function parse<T>(schema: z.ZodType<T>, body: Buffer): T {
  try {
    return schema.parse(JSON.parse(body.toString()));
  } catch (cause) {
    throw new BackupFileError('has a manifest that this version of Gatehouse cannot read', null, { cause });
  }
}
