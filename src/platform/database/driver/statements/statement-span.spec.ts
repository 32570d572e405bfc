import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { shownStatement } from './statement-span.js';

describe('shownStatement', () => {
  it.each([
    ['SELECT * FROM users WHERE id = $1', 'SELECT users', 'SELECT * FROM users WHERE id = $1'],
    [
      `SELECT "a" FROM "users" "u" WHERE x = 'ab'`,
      'SELECT users',
      `SELECT "a" FROM "users" "u" WHERE x = '?'`,
    ],
    [`INSERT INTO "events"\n  VALUES ($1)`, 'INSERT events', 'INSERT INTO "events" VALUES ($1)'],
    ['UPDATE ONLY public.users SET a = $1', 'UPDATE public.users', 'UPDATE ONLY public.users SET a = $1'],
    ['COMMIT', 'COMMIT', 'COMMIT'],
    [`SELECT pg_notify('a', $1)`, 'SELECT', `SELECT pg_notify('?', $1)`],
    [`SELECT E'it\\'s', 'it''s', $$a'b$$, $x$c$$d$x$`, 'SELECT', `SELECT '?', '?', '?', '?'`],
  ])('%s', (text, summary, shown) => {
    expect(shownStatement(text)).toMatchObject({ summary, text: shown });
  });

  it('shows nothing of a literal', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (one, other) => {
        const quoted = (value: string) => `'${value.replaceAll("'", "''")}'`;
        const { text } = shownStatement(`SELECT ${quoted(one)} AS a, ${quoted(other)} AS b FROM users`);
        expect(text).toBe(`SELECT '?' AS a, '?' AS b FROM users`);
      }),
    );
  });
});
