import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  age,
  ANY_NETWORK,
  comparable,
  elsewhere,
  HELD_SECONDS,
  login,
} from '../../support/builders/guesses.js';
import { closeConnections } from '../../support/http/send.js';
import { PASSWORD, TestApp } from '../../support/app/test-app.js';

const WAYS: Readonly<Record<string, string>> = {
  'has no password': 'password_hash = NULL',
  'is disabled': 'disabled = true',
  'is deleted': 'deleted_at = now()',
  'has a bcrypt hash': `password_hash = '$2b$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'`,
  'has a hash of no known form': `password_hash = '{SSHA}nothing/of/ours'`,
  'has an empty hash': `password_hash = ''`,
  'has a hash cut short': `password_hash = left(password_hash, 40)`,
  'has a hash of absurd cost': `password_hash = '$argon2id$v=19$m=4194304,t=1000,p=4$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG'`,
};

describe('an email address at POST /api/auth/login', () => {
  let app: TestApp;
  let emails: Map<string, string>;
  let active: string;
  beforeAll(async () => {
    app = await TestApp.create({ config: ANY_NETWORK });
    const ways = Object.entries(WAYS);
    const users = await Promise.all([app.createUser(), ...ways.map(() => app.createUser())]);
    active = users[0]?.email ?? '';
    emails = new Map(ways.map(([way], i) => [way, users[i + 1]?.email ?? '']));
    for (const [way, change] of ways) {
      await app.database.query(`UPDATE users SET ${change} WHERE email = $1`, [emails.get(way)]);
    }
    emails.set('nobody has', 'nobody@example.com');
    emails.set('is none', 'not an address');
    await app.database.query('DELETE FROM sign_in_failures');
  });
  afterAll(() => {
    closeConnections();
    return app.close();
  });

  const answerTo = async (email: string, password?: string) =>
    comparable(await login(app, { email, ip: elsewhere(), ...(password !== undefined && { password }) }));

  it('reveals nothing about its user: ten identical refusals, then a delay', async () => {
    for (let i = 0; i <= 10; i++) {
      if (i === 10) await age(app, -HELD_SECONDS);
      const expected = await answerTo(active);
      expect(expected).toMatchObject({ status: i < 10 ? 401 : 429 });
      // The current or former password of the address. If the user cannot sign in, it looks like a wrong
      // password.
      const found = await Promise.all(
        [...emails].map(async ([way, email]) => [way, await answerTo(email, PASSWORD)] as const),
      );
      for (const [way, answer] of found) expect([way, answer]).toEqual([way, expected]);
    }
  });
});
