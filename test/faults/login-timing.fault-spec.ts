import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { pbkdf2Sync } from 'node:crypto';
import { hash as bcrypt } from 'bcrypt';
import { PasswordFormatSampler } from '../../src/modules/auth/sign-in/password-format.sampler.js';
import { DecoyHashesService } from '../../src/platform/crypto/passwords/decoy-hashes.service.js';
import { formatOf } from '../../src/platform/crypto/passwords/hash-cost.js';
import { parseStoredHash } from '../../src/platform/crypto/passwords/stored-hash.js';
import { ANY_NETWORK, elsewhere, login } from '../support/builders/guesses.js';
import { closeConnections } from '../support/http/send.js';
import { PASSWORD, TestApp } from '../support/app/test-app.js';

const USERS = 60;
/** Few enough guesses per address and round that none is slowed down. */
const PER_ADDRESS = 5;
/** Each round makes 300 guesses at users and 300 at unknown addresses. */
const ROUNDS_OF_A_MIX = 3;
/** Unmeasured guesses at the start, while code is compiled and threads start. */
const WARM_UP = 10;

interface Times {
  readonly wrong: number[];
  readonly unknown: number[];
}

/** Returns the probability that a value of `a` exceeds one of `b` (the area under the ROC curve). */
function chanceOfGreater(a: readonly number[], b: readonly number[]): number {
  const wins = a.flatMap((x) => b.map((y): number => (x > y ? 1 : x === y ? 0.5 : 0)));
  return wins.reduce((sum, win) => sum + win, 0) / wins.length;
}

function shuffled(values: readonly string[]): string[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

const median = (values: readonly number[]): string =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]?.toFixed(2) ?? '';

function expectAlike(kind: string, { wrong, unknown }: Times): void {
  const chance = chanceOfGreater(wrong, unknown);
  process.stdout.write(
    `${kind}, ${wrong.length} and ${unknown.length} guesses: a wrong password is slower with probability ` +
      `${chance.toFixed(3)}; medians ${median(wrong)} ms and ${median(unknown)} ms\n`,
  );
  expect(chance).toBeGreaterThan(0.4);
  expect(chance).toBeLessThan(0.6);
}

describe('the time of a refused sign-in', () => {
  let app: TestApp;
  const emails: string[] = [];
  let known: ReadonlySet<string>;
  const kinds: Record<string, string> = {};
  beforeAll(async () => {
    app = await TestApp.create({ config: ANY_NETWORK });
    for (let i = 0; i < USERS; i++) emails.push((await app.createUser()).email);
    known = new Set(emails);
    const salt = Buffer.from('sixteen bytes...');
    const b64 = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
    const [own] = await app.database.query<{ hash: string }>(
      'SELECT password_hash AS hash FROM users LIMIT 1',
    );
    kinds['our own'] = own?.hash ?? '';
    kinds['pbkdf2 with 1,000 iterations'] =
      `$pbkdf2-sha256$i=1000$${b64(salt)}$${b64(pbkdf2Sync(PASSWORD, salt, 1000, 32, 'sha256'))}`;
    kinds['bcrypt 4'] = await bcrypt(PASSWORD, 4);
    kinds['bcrypt 10'] = await bcrypt(PASSWORD, 10);
    kinds['bcrypt 12'] = await bcrypt(PASSWORD, 12);
  }, 120_000);
  afterAll(() => {
    closeConnections();
    return app.close();
  });

  /** Gives the users the hashes in turn and counts the formats. */
  async function giveUsers(hashes: readonly string[]): Promise<void> {
    await app.database.query(
      `UPDATE users SET password_hash = ($1::text[])[1 + turn % cardinality($1::text[])]
       FROM (SELECT id, row_number() OVER (ORDER BY id) AS turn FROM users) AS turns WHERE turns.id = users.id`,
      [hashes],
    );
    await app.database.query('DELETE FROM sign_in_failures');
    await app.nest.get(PasswordFormatSampler).refresh();
  }

  async function timeOf(email: string): Promise<number> {
    const started = performance.now();
    const { status } = await login(app, { email, ip: elsewhere() });
    if (status !== 401) throw new Error(`was answered ${status}`);
    return performance.now() - started;
  }

  /**
   * Guesses at users and at unknown addresses in random order, so that other load, and what each guess leaves
   * behind for the next, affect both alike.
   */
  async function measure(
    rounds: number,
    record: (email: string, ms: number, isKnown: boolean) => void,
  ): Promise<void> {
    for (let i = 0; i < WARM_UP; i++) await timeOf(`warm-up-${i}@example.com`);
    for (let round = 0; round < rounds; round++) {
      await app.database.query('DELETE FROM sign_in_failures');
      // New addresses in each round, because rare formats are not drawn exactly as often as they should be.
      const unknown = emails.map((_, i) => `nobody-${round}-${i}@example.com`);
      const addresses = [...emails, ...unknown].flatMap((email) => Array<string>(PER_ADDRESS).fill(email));
      for (const email of shuffled(addresses)) record(email, await timeOf(email), known.has(email));
    }
  }

  it.each(['our own', 'pbkdf2 with 1,000 iterations', 'bcrypt 4', 'bcrypt 10', 'bcrypt 12'])(
    'does not reveal known addresses when users have hashes of %s',
    async (kind) => {
      await giveUsers([kinds[kind] ?? '']);
      const times: Times = { wrong: [], unknown: [] };
      await measure(1, (_, ms, isKnown) => times[isKnown ? 'wrong' : 'unknown'].push(ms));
      expectAlike(kind, times);
    },
    900_000,
  );

  it('does not reveal known addresses when users have hashes of several kinds', async () => {
    await giveUsers(
      ['our own', 'pbkdf2 with 1,000 iterations', 'bcrypt 10'].map((kind) => kinds[kind] ?? ''),
    );
    const stored = await app.database.query<{ email: string; hash: string }>(
      'SELECT email, password_hash AS hash FROM users',
    );
    const formats = new Map(stored.map(({ email, hash }) => [email, hash] as const));
    const decoys = app.nest.get(DecoyHashesService);
    const all: Times = { wrong: [], unknown: [] };
    const byFormat = new Map<string, Times>();
    await measure(ROUNDS_OF_A_MIX, (email, ms, isKnown) => {
      const hash = parseStoredHash(formats.get(email) ?? '') ?? decoys.forAddress(email);
      const ofFormat = byFormat.get(formatOf(hash)) ?? { wrong: [], unknown: [] };
      byFormat.set(formatOf(hash), ofFormat);
      for (const times of [all, ofFormat]) times[isKnown ? 'wrong' : 'unknown'].push(ms);
    });
    // Formats differ in cost, but each is as frequent among unknown addresses.
    for (const [format, times] of byFormat) expectAlike(`several kinds, ${format}`, times);
    expectAlike('several kinds, all', all);
  }, 900_000);
});
