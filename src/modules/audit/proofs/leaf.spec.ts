import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { entryAt } from '../../../../test/support/builders/audit-log.js';
import {
  type ColumnKind,
  type EntryColumn,
  entryColumns,
  laterColumns,
  leafData,
  type StoredEntry,
} from './leaf.js';

const text = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((each) => each.isWellFormed());
const values: Readonly<Record<ColumnKind, fc.Arbitrary<unknown>>> = {
  number: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String),
  uuid: fc.uuid(),
  time: fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
  text,
  bytes: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
};
/** Any value of the right kind in any column, or null. This covers more than the table allows. */
const anyEntry = fc.record(
  Object.fromEntries(entryColumns.map(([name, kind]) => [name, fc.option(values[kind])])),
) as unknown as fc.Arbitrary<StoredEntry>;

/** Decodes the output of `leafData`, following only its documented format. Version 1 lacks the later columns. */
function decode(data: Buffer): (string | null)[] {
  expect([1, 2]).toContain(data[0]);
  const fields: (string | null)[] = [];
  for (let at = 1; at < data.length;) {
    const length = data.readUInt32BE(at);
    at += 4;
    if (length === 0xff_ff_ff_ff) fields.push(null);
    else {
      fields.push(data.toString('hex', at, at + length));
      at += length;
    }
  }
  if (data[0] === 1) fields.push(...laterColumns.map(() => null));
  return fields;
}

function bytesOf(value: StoredEntry[EntryColumn], kind: ColumnKind): string | null {
  if (value === null) return null;
  if (Buffer.isBuffer(value)) return value.toString('hex');
  if (value instanceof Date) return Buffer.from(value.toISOString()).toString('hex');
  return kind === 'uuid' ? String(value).replaceAll('-', '') : Buffer.from(String(value)).toString('hex');
}

describe('leafData', () => {
  it('is reversible, so no two entries have the same bytes', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        const fields = entryColumns.map(([name, kind]) => bytesOf(entry[name], kind));
        expect(decode(leafData(entry))).toEqual(fields);
      }),
    );
  });

  it('covers every column of an entry', () => {
    expect(entryColumns.map(([name]) => name).toSorted()).toEqual(Object.keys(entryAt(1)).toSorted());
  });

  it.each(entryColumns.map(([name]) => name))('changes with %s', (name: EntryColumn) => {
    const entry = entryAt(1);
    const other = { ...entry, [name]: entry[name] === null ? 'something' : null };
    expect(leafData(other)).not.toEqual(leafData(entry));
  });

  it('distinguishes null from empty text', () => {
    const [empty, none] = [entryAt(1, { trace_id: '' }), entryAt(1)];
    expect(leafData({ ...empty, trace_id: null })).not.toEqual(leafData(empty));
    expect(leafData(none)).not.toEqual(leafData({ ...none, trace_id: '' }));
  });

  describe('never changes its format, because later releases must verify old seals', () => {
    const entry = entryAt(7, {
      id: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10',
      actor_id: null,
      origin_key: null,
      origin_sealed: Buffer.from('abcd', 'hex'),
    });
    const nothing = 'ffffffff';
    const field = (value: string) =>
      value.length.toString(16).padStart(8, '0') + Buffer.from(value).toString('hex');
    const first =
      `${field('1')}${field('700')}${field('7')}000000100192f1c48a4e7c319d523f6f0c2b7a10` +
      `${field('2026-01-01T00:00:00.007Z')}${field('user')}${nothing}${nothing}${field('auth.login')}` +
      `${nothing}${nothing}${field('success')}${field('request-7')}${nothing}${nothing}00000002abcd${nothing}${nothing}`;

    it.each<[string, Partial<StoredEntry>, string]>([
      ['of version 1 without later values', {}, `01${first}`],
      ['with a reason', { reason: 'disabled' }, `02${first}${field('disabled')}${nothing}`],
      ['with a digest', { ip_digest: Buffer.from('ef', 'hex') }, `02${first}${nothing}00000001ef`],
    ])('%s', (_, later, bytes) => {
      expect(leafData({ ...entry, ...later }).toString('hex')).toBe(bytes);
    });
  });
});
