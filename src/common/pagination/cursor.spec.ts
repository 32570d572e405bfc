import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { forgeCursor } from '../../../test/support/http/cursors.js';
import { assertTimeKey, type CursorScope, decodeCursor, encodeCursor } from './cursor.js';

const scope: CursorScope = { list: 'users', sort: 'name', search: undefined };
const key = fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed() && !text.includes('\0'));
const refusal = expect.objectContaining({ code: 'VALIDATION_ERROR' });

describe('cursors', () => {
  it('decodes to its position', () => {
    fc.assert(
      fc.property(key, fc.uuid(), (each, id) => {
        const cursor = encodeCursor({ key: each, id }, scope);
        expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(decodeCursor(cursor, scope)).toEqual({ key: each, id });
      }),
    );
  });

  it('ignores the order of filters, and filters that are not set', () => {
    const cursor = encodeCursor({ key: 'a', id: crypto.randomUUID() }, { sort: 'name', list: 'users' });
    expect(decodeCursor(cursor, scope)).toMatchObject({ key: 'a' });
  });

  it.each<[string, CursorScope]>([
    ['another list', { ...scope, list: 'roles' }],
    ['another sort', { ...scope, sort: '-name' }],
    ['an additional filter', { ...scope, search: '' }],
    ['a missing filter', { list: 'users' }],
  ])('rejects a cursor for %s', (_, other) => {
    const cursor = encodeCursor({ key: 'a', id: crypto.randomUUID() }, scope);
    expect(() => decodeCursor(cursor, other)).toThrow(refusal);
  });

  it('rejects every text that the service did not issue', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.base64String(),
          fc.json().map((text) => Buffer.from(text).toString('base64url')),
        ),
        (text) => {
          expect(() => decodeCursor(text, scope)).toThrow(refusal);
        },
      ),
    );
  });

  const id = crypto.randomUUID();
  it.each<[string, unknown, unknown]>([
    ['an id that is none', 'a', 'nonsense'],
    ['an empty id', 'a', ''],
    ['an id that is no text', 'a', 5],
    ['an id in another spelling', 'a', id.toUpperCase().replace(/^./, 'A')],
    ['a key that is no text', 5, id],
    ['a key that is nothing', null, id],
    ['U+0000 in the key', 'a\0', id],
    ['a lone surrogate in the key', '\ud800', id],
  ])('rejects a cursor with %s even if its checksum is right', (_, eachKey, eachId) => {
    expect(decodeCursor(forgeCursor('a', id, scope), scope)).toEqual({ key: 'a', id });
    expect(() => decodeCursor(forgeCursor(eachKey, eachId, scope), scope)).toThrow(refusal);
  });
});

describe('assertTimeKey', () => {
  it('accepts every time that the service can write', () => {
    const min = new Date('0001-01-01T00:00:00.000Z');
    const max = new Date('9999-12-31T23:59:59.999Z');
    fc.assert(
      fc.property(fc.date({ min, max, noInvalidDate: true }), (time) => {
        expect(() => assertTimeKey(time.toISOString())).not.toThrow();
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['words that Date.parse takes', 'foo 1'],
    ['a word that PostgreSQL takes', 'infinity'],
    ['a day that does not exist', '2026-02-30T00:00:00.000Z'],
    ['an hour that does not exist', '2026-02-03T25:00:00.000Z'],
    ['midnight written as 24:00', '2026-02-03T24:00:00.000Z'],
    ['the year 0', '0000-01-01T00:00:00.000Z'],
    ['a year before it', '-000001-01-01T00:00:00.000Z'],
    ['a year of five digits', '12026-01-01T00:00:00.000Z'],
    ['a year of five digits, as ISO 8601 writes it', '+012026-01-01T00:00:00.000Z'],
    ['a day alone', '2026-02-03'],
    ['no milliseconds', '2026-02-03T04:05:06Z'],
    ['microseconds', '2026-02-03T04:05:06.789012Z'],
    ['an offset', '2026-02-03T04:05:06.789+00:00'],
    ['no zone', '2026-02-03T04:05:06.789'],
    ['small letters', '2026-02-03t04:05:06.789z'],
    ['a blank for the T', '2026-02-03 04:05:06.789Z'],
    ['a blank before it', ' 2026-02-03T04:05:06.789Z'],
    ['a line break after it', '2026-02-03T04:05:06.789Z\n'],
  ])('rejects %s', (_, text) => {
    expect(() => assertTimeKey(text)).toThrow(refusal);
  });
});
