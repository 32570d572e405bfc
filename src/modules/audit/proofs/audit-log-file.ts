import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { AuditJwk } from './key-set.js';
import { type ColumnKind, entryColumns, laterColumns, type StoredEntry } from './leaf.js';
import { formatLeaves, MAX_RETENTIONS, parseLeaves, type Retention } from './retention-statement.js';
import { MAX_ENTRIES_PER_SEAL, splitHashes, type StoredSeal } from './seal.js';
import type { SealedBlock } from './verify-audit-log.js';

/*
 * The format of an exported audit log: NDJSON. The first line is the header `{format, version, keys}`. Then comes
 * one line `{"retention": {...}}` for each month that may be absent. The other lines are entries and seals. An entry
 * `{"entry": {...}}` holds every column as stored (bytes in base64), except columns of later versions that are null. A
 * seal `{"seal": {...}}` follows the entries that it covers. No seal covers the entries after the last seal. A file of
 * version 1 has no columns of later versions.
 */
const FORMAT = 'gatehouse-audit-trail';
const VERSION = 2;

/** Reports the line at which the file is damaged or is not an exported audit log. */
export class AuditLogFileError extends Error {
  override readonly name = 'AuditLogFileError';
}

/** Accepts one spelling of each value, because any other would not be the sealed bytes. */
const decimal = z.string().regex(/^(?:0|[1-9]\d{0,19})$/);
const whole = z.int().min(0);
const base64 = z.codec(z.string(), z.instanceof(Buffer), {
  decode: (text, context) => {
    const bytes = Buffer.from(text, 'base64');
    if (bytes.toString('base64') !== text) context.issues.push({ code: 'custom', input: text });
    return bytes;
  },
  encode: (bytes) => bytes.toString('base64'),
});
const time = z.codec(z.string(), z.date(), {
  decode: (text, context) => {
    const date = new Date(text);
    if (Number.isNaN(date.getTime()) || date.toISOString() !== text) {
      context.issues.push({ code: 'custom', input: text });
      return new Date(0);
    }
    return date;
  },
  encode: (date) => date.toISOString(),
});

const columnSchemas: Readonly<Record<ColumnKind, z.ZodType>> = {
  number: decimal,
  uuid: z.string().regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  time,
  text: z.string(),
  bytes: base64,
};
const entrySchema = z.strictObject({
  ...Object.fromEntries(entryColumns.map(([name, kind]) => [name, columnSchemas[kind].nullable()])),
  ...Object.fromEntries(laterColumns.map(([name, kind]) => [name, columnSchemas[kind].optional()])),
  epoch: whole,
});
const laterNames: ReadonlySet<string> = new Set(laterColumns.map(([name]) => name));
const NO_LATER_VALUES = Object.fromEntries(laterColumns.map(([name]) => [name, null]));
const position = z.strictObject({ epoch: whole, xid: decimal, seq: decimal });
const sealSchema = z.strictObject({
  number: whole,
  position,
  entries: whole,
  root: base64,
  previous: base64,
  sealedAt: time,
  kid: z.string(),
  hash: base64,
  signature: base64,
  leafHashes: base64,
});
const leaves = z.codec(z.string(), z.custom<Retention['leaves']>(), {
  decode: (text, context) => {
    const runs = parseLeaves(text);
    if (!runs || formatLeaves(runs) !== text) context.issues.push({ code: 'custom', input: text });
    return runs ?? [];
  },
  encode: formatLeaves,
});
const retentionSchema = z.strictObject({
  month: z.string(),
  entries: whole,
  leaves,
  sealHash: base64,
  announcedAt: time,
  kid: z.string(),
  hash: base64,
  signature: base64,
  position,
  entry: base64,
});
const headerSchema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal([1, VERSION]),
  keys: z.array(
    z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string(), kid: z.string() }),
  ),
});
const lineSchema = z.union([z.strictObject({ entry: entrySchema }), z.strictObject({ seal: sealSchema })]);
const retentionLine = z.strictObject({ retention: retentionSchema });

/** Yields the lines of an exported audit log, each with its line break. */
export async function* auditLogLines({ keys, retentions, blocks }: AuditLogContent): AsyncGenerator<string> {
  yield line({ format: FORMAT, version: VERSION, keys });
  for (const retention of retentions) yield line({ retention: retentionSchema.encode(retention) });
  for await (const { entries, seal } of blocks) {
    for (const entry of entries) yield line({ entry: entrySchema.encode(withoutNulls(entry)) });
    if (seal) {
      const leafHashes = Buffer.concat(seal.leafHashes);
      yield line({ seal: sealSchema.encode({ ...seal, leafHashes }) });
    }
  }
}

/** Leaves out the columns of later versions that are null, so that an entry of version 1 has the same line as before. */
const withoutNulls = ({ epoch, ...others }: StoredEntry) => ({
  epoch,
  ...Object.fromEntries(
    Object.entries(others).filter(([name, value]) => value !== null || !laterNames.has(name)),
  ),
});

const withNulls = (entry: object): StoredEntry => ({ ...NO_LATER_VALUES, ...(entry as StoredEntry) });

const line = (value: unknown): string => `${JSON.stringify(value)}\n`;

export interface AuditLogContent {
  /**
   * The keys in the file. They are not trustworthy, because the author of the file may have generated them.
   */
  readonly keys: readonly AuditJwk[];
  readonly retentions: readonly Retention[];
  readonly blocks: AsyncIterable<SealedBlock>;
}

/** Reads an exported audit log. @throws AuditLogFileError, also while the blocks are read */
export async function readAuditLogFile(input: Readable): Promise<AuditLogContent> {
  const lines = parsedLines(input);
  const first = await lines.next();
  const header = headerSchema.safeParse(first.value?.value);
  if (!header.success) throw new AuditLogFileError('line 1 is not the header of an exported audit log');
  const retentions: Retention[] = [];
  for (;;) {
    const next = await lines.next();
    const read = retentionLine.safeParse(next.value?.value);
    if (!read.success) {
      return { keys: header.data.keys, retentions, blocks: blocksOf(withFirst(next, lines)) };
    }
    if (retentions.length === MAX_RETENTIONS) throw new AuditLogFileError('too many retentions');
    retentions.push(read.data.retention);
  }
}

async function* withFirst<T>(first: IteratorResult<T, undefined>, rest: AsyncIterable<T>): AsyncGenerator<T> {
  if (first.done !== true) yield first.value;
  yield* rest;
}

interface NumberedLine {
  readonly number: number;
  readonly value: unknown;
}

async function* parsedLines(input: Readable): AsyncGenerator<NumberedLine, undefined> {
  let number = 0;
  for await (const text of createInterface({ input, crlfDelay: Infinity })) {
    number++;
    yield { number, value: parsed(text, number) };
  }
  return undefined;
}

function parsed(text: string, number: number): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AuditLogFileError(`line ${number} is not JSON`, { cause });
  }
}

async function* blocksOf(lines: AsyncIterable<NumberedLine>): AsyncGenerator<SealedBlock> {
  let entries: StoredEntry[] = [];
  for await (const { number, value } of lines) {
    const read = lineSchema.safeParse(value);
    if (!read.success) throw new AuditLogFileError(`line ${number} is neither an entry nor a seal`);
    if ('entry' in read.data) entries.push(withNulls(read.data.entry));
    // Reads one entry more than a seal can hold, which is enough to detect too many.
    const full = entries.length > MAX_ENTRIES_PER_SEAL + 1;
    if (!('seal' in read.data) && !full) continue;
    yield { entries, seal: 'seal' in read.data ? toStoredSeal(read.data.seal) : null };
    entries = [];
  }
  if (entries.length > 0) yield { entries, seal: null };
}

const toStoredSeal = (seal: z.output<typeof sealSchema>): StoredSeal => ({
  ...seal,
  leafHashes: splitHashes(seal.leafHashes),
});
