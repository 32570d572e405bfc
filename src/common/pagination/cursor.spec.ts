import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type CursorScope, decodeCursor, encodeCursor } from './cursor.js';

const scope: CursorScope = { list: 'users', sort: 'name', search: undefined };
const key = fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed() && !text.includes('\0'));
const refusal = expect.objectContaining({ code: 'VALIDATION_ERROR' });

describe('a cursor', () => {
  it('leads back to its position', () => {
    fc.assert(
      fc.property(key, fc.uuid(), (each, id) => {
        const cursor = encodeCursor({ key: each, id }, scope);
        expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(decodeCursor(cursor, scope)).toEqual({ key: each, id });
      }),
    );
  });

  it('does not care in which order its filters stand, nor for those that are not set', () => {
    const cursor = encodeCursor({ key: 'a', id: crypto.randomUUID() }, { sort: 'name', list: 'users' });
    expect(decodeCursor(cursor, scope)).toMatchObject({ key: 'a' });
  });

  it.each<[string, CursorScope]>([
    ['another list', { ...scope, list: 'roles' }],
    ['another sort', { ...scope, sort: '-name' }],
    ['a filter more', { ...scope, search: '' }],
    ['a filter less', { list: 'users' }],
  ])('is refused for %s', (_, other) => {
    const cursor = encodeCursor({ key: 'a', id: crypto.randomUUID() }, scope);
    expect(() => decodeCursor(cursor, other)).toThrow(refusal);
  });

  it('is refused when it is none of ours, whatever it is', () => {
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

  it.each([
    ['an id that is none', ['a', 'nonsense']],
    ['a key that is no text', [5, crypto.randomUUID()]],
    ['U+0000 in the key', ['a\0', crypto.randomUUID()]],
    ['a lone surrogate in the key', ['\ud800', crypto.randomUUID()]],
  ])('is refused with %s, though all else is right', (_, position) => {
    const made = encodeCursor({ key: 'a', id: crypto.randomUUID() }, scope);
    const [digest] = JSON.parse(Buffer.from(made, 'base64url').toString()) as [string];
    const forged = Buffer.from(JSON.stringify([digest, ...position])).toString('base64url');
    expect(() => decodeCursor(forged, scope)).toThrow(refusal);
  });
});
