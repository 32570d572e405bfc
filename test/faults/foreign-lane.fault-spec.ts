import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ANYWHERE, login } from '../support/guesses.js';
import { closeConnections } from '../support/send.js';
import { PASSWORD, TestApp } from '../support/test-app.js';

const GUESSES = 8;
const SIGN_INS = 30;
const MAX_LONGER_MS = 250;
const SALT = 'c29tZXNhbHRzb21lc2FsdA';
const DIGEST = 'RdescudvJCsgt3ub+b4dWRWJTmaaJObGRdescudvJCs';

/** Of the highest cost that the import accepts. */
const DEAREST = {
  'argon2 in one lane': `$argon2id$v=19$m=262144,t=4,p=1$${SALT}$${DIGEST}`,
  'argon2 in sixteen lanes': `$argon2id$v=19$m=262144,t=4,p=16$${SALT}$${DIGEST}`,
  bcrypt: '$2b$14$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy',
  scrypt: `$scrypt$ln=17,r=8,p=2$${SALT}$${DIGEST}`,
} as const;

describe('a sign-in with our own hash', () => {
  let app: TestApp;
  let email: string;
  let guessed: { id: string; email: string };
  beforeAll(async () => {
    app = await TestApp.create({ config: ANYWHERE });
    ({ email } = await app.account());
    guessed = await app.account();
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

  it.each(Object.entries(DEAREST))(
    'waits at most 250 ms longer behind eight hashes of the highest cost: %s',
    async (kind, hash) => {
      await app.database.query('UPDATE users SET password_hash = $2 WHERE id = $1', [guessed.id, hash]);
      await app.database.query('DELETE FROM sign_in_failures');
      const alone = await signIns();
      const guesses = Promise.all(
        Array.from({ length: GUESSES }, () => login(app, { email: guessed.email })),
      );
      let isBehind = true;
      void guesses.finally(() => (isBehind = false));
      const behind = await signIns();
      expect(isBehind).toBe(true);
      expect((await guesses).map(({ status }) => status)).toEqual(Array(GUESSES).fill(401));
      const longest = [alone, behind].map((durations) => durations.at(-1) ?? 0) as [number, number];
      process.stdout.write(
        `${kind}: the longest of ${SIGN_INS} sign-ins took ${longest[0].toFixed(0)} ms alone, ${longest[1].toFixed(0)} ms behind\n`,
      );
      expect(longest[1] - longest[0]).toBeLessThan(MAX_LONGER_MS);
    },
    120_000,
  );
});
