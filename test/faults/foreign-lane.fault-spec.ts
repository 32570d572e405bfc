import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ANY_NETWORK, login } from '../support/builders/guesses.js';
import { closeConnections } from '../support/http/send.js';
import { PASSWORD, TestApp } from '../support/app/test-app.js';

const SIGN_INS = 30;
const MAX_LONGER_MS = 250;
const SALT = 'c29tZXNhbHRzb21lc2FsdA';
const DIGEST = 'RdescudvJCsgt3ub+b4dWRWJTmaaJObGRdescudvJCs';

interface Guesses {
  readonly count: number;
  readonly hash: string;
}

/**
 * Hashes with the defaults of the argon2 package at 256 MiB, and with the highest cost that the import
 * accepts.
 */
const GUESSES: Readonly<Record<string, Guesses>> = {
  'six hashes of argon2 at 256 MiB': { count: 6, hash: `$argon2id$v=19$m=262144,t=3,p=4$${SALT}$${DIGEST}` },
  'eight of the most expensive argon2 in one lane': {
    count: 8,
    hash: `$argon2id$v=19$m=262144,t=4,p=1$${SALT}$${DIGEST}`,
  },
  'eight of the most expensive argon2 in sixteen lanes': {
    count: 8,
    hash: `$argon2id$v=19$m=262144,t=4,p=16$${SALT}$${DIGEST}`,
  },
  'eight of the most expensive bcrypt': {
    count: 8,
    hash: '$2b$14$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy',
  },
  'eight of the most expensive sha512-crypt': {
    count: 8,
    hash: `$6$rounds=1000000$saltsaltsaltsalt$${'.'.repeat(86)}`,
  },
  'eight of the most expensive scrypt': { count: 8, hash: `$scrypt$ln=17,r=8,p=2$${SALT}$${DIGEST}` },
};

const longest = (ascending: readonly number[]): number => ascending.at(-1) ?? Infinity;

/** Returns the median and the maximum. */
const summary = (ascending: readonly number[]): string =>
  [ascending[ascending.length >> 1] ?? 0, longest(ascending)].map((ms) => ms.toFixed(0)).join(' to ');

describe('a sign-in with our own hash', () => {
  let app: TestApp;
  let email: string;
  let guessed: { id: string; email: string };
  beforeAll(async () => {
    app = await TestApp.create({ config: ANY_NETWORK });
    ({ email } = await app.createUser());
    guessed = await app.createUser();
  });
  afterAll(() => {
    closeConnections();
    return app.close();
  });

  /** Returns the durations in ascending order. */
  async function signIns(): Promise<number[]> {
    const durations: number[] = [];
    for (let i = 0; i < SIGN_INS; i++) {
      const started = performance.now();
      expect((await login(app, { email, password: PASSWORD })).status).toBe(200);
      durations.push(performance.now() - started);
    }
    return durations.toSorted((a, b) => a - b);
  }

  it.each(Object.keys(GUESSES))(
    'waits at most 250 ms longer behind %s',
    async (kind) => {
      const { count, hash } = GUESSES[kind] as Guesses;
      await app.database.query('UPDATE users SET password_hash = $2 WHERE id = $1', [guessed.id, hash]);
      await app.database.query('DELETE FROM sign_in_failures');
      const alone = await signIns();
      const guesses = Promise.all(Array.from({ length: count }, () => login(app, { email: guessed.email })));
      let isBehind = true;
      void guesses.finally(() => (isBehind = false));
      const behind = await signIns();
      expect(isBehind).toBe(true);
      // Guesses that would wait longer than 5 s are refused.
      for (const { status } of await guesses) expect([401, 503]).toContain(status);
      process.stdout.write(
        `${kind}: ${SIGN_INS} sign-ins took ${summary(alone)} ms alone, ${summary(behind)} ms behind\n`,
      );
      expect(longest(behind) - longest(alone)).toBeLessThan(MAX_LONGER_MS);
    },
    120_000,
  );
});
