import { sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SigningKeysService } from '../../../src/modules/auth/signing-keys/signing-keys.service.js';
import type { PeriodicTask } from '../../../src/platform/lifecycle/periodic-task.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { Instance } from '../../support/app/instance.js';
import {
  headerOf,
  logIn,
  type Pair,
  presentRefresh,
  refreshed,
  statusOf,
} from '../../support/builders/sessions.js';
import { ADMIN, TestApp } from '../../support/app/test-app.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { until } from '../../support/app/until.js';

const NINETY_DAYS = 90 * 86_400;

describe('signing keys', () => {
  let app: TestApp;
  let keys: SigningKeysService;
  beforeAll(async () => {
    app = await TestApp.create();
    keys = app.nest.get(SigningKeysService);
  });
  afterAll(() => app.close());

  const published = async (): Promise<string[]> => {
    const answer = await app.request('get', '/.well-known/jwks.json').expect(200);
    expect(answer.get('Cache-Control')).toBe('public, max-age=300');
    return (answer.body as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
  };
  const login = () => logIn(app.url, ADMIN.email, ADMIN.password);
  const kidOf = (pair: Pair) => headerOf(pair.access_token)['kid'];
  const refreshKidOf = (pair: Pair) => String(headerOf(pair.refresh_token)['kid']);
  /** Runs the round that every instance runs each minute. */
  const upkeep = () => keys.rotateIfOlderThan(NINETY_DAYS);
  const publishedLongEnough = (kid: string) =>
    app.database.query(`UPDATE signing_keys SET signs_from = now() - interval '1 second' WHERE kid = $1`, [
      kid,
    ]);
  const refreshKeysSignNow = () =>
    app.database.query(`UPDATE refresh_signing_keys SET signs_from = now() - interval '1 second'`);

  it('are published before they sign, and log nobody out when they rotate', async () => {
    const [old] = await published();
    const before = await login();
    const next = await keys.rotateIfOlderThan(0);
    expect((await published()).toSorted()).toEqual([old, next].map(String).toSorted());
    expect(kidOf(await login())).toBe(old);

    await publishedLongEnough(String(next));
    expect(await upkeep()).toBeNull();
    const after = await login();
    expect(kidOf(after)).toBe(next);
    expect((await published()).toSorted()).toEqual([old, next].map(String).toSorted());
    expect(await statusOf(app.url, before.access_token)).toBe(200);
    const renewed = await refreshed(app.url, before.refresh_token);
    expect(kidOf(renewed)).toBe(next);
    expect(await statusOf(app.url, renewed.access_token)).toBe(200);
  });

  it('verify until their last token expires, and no longer', async () => {
    const [old] = (await app.database.query<{ kid: string }>(
      'SELECT kid FROM signing_keys WHERE verifies_until IS NULL',
    )) as [{ kid: string }];
    const pair = await login();
    expect(kidOf(pair)).toBe(old.kid);
    const next = String(await keys.rotateIfOlderThan(0));
    const rows = await app.database.query<{ kept: boolean }>(
      `SELECT old.verifies_until >= next.signs_from + interval '30 days' AS kept
       FROM signing_keys old, signing_keys next WHERE old.kid = $1 AND next.kid = $2`,
      [old.kid, next],
    );
    expect(rows).toEqual([{ kept: true }]);

    await publishedLongEnough(next);
    await app.database.query(
      `UPDATE signing_keys SET verifies_until = now() - interval '1 second' WHERE kid <> $1`,
      [next],
    );
    await refreshKeysSignNow();
    await app.database.query(
      `UPDATE refresh_signing_keys SET verifies_until = now() - interval '1 second' WHERE verifies_until IS NOT NULL`,
    );
    await upkeep();
    expect(await published()).toEqual([next]);
    expect(await statusOf(app.url, pair.access_token)).toBe(401);
    expect((await presentRefresh(app.url, pair.refresh_token)).status).toBe(401);
    expect(kidOf(await login())).toBe(next);
  });

  describe('for refresh tokens', () => {
    it('are never published, and log nobody out when they rotate', async () => {
      await refreshKeysSignNow();
      await upkeep();
      const before = await login();
      expect(await published()).not.toContain(refreshKidOf(before));
      await keys.rotateIfOlderThan(0);
      expect(refreshKidOf(await login())).toBe(refreshKidOf(before));
      await refreshKeysSignNow();
      await upkeep();
      const renewed = await refreshed(app.url, before.refresh_token);
      expect(refreshKidOf(renewed)).not.toBe(refreshKidOf(before));
      expect(await published()).not.toContain(refreshKidOf(renewed));
      await refreshed(app.url, renewed.refresh_token);
    });

    it('verify no access token', async () => {
      const pair = await login();
      const [, body] = pair.access_token.split('.');
      const forged = { ...headerOf(pair.access_token), kid: refreshKidOf(pair) };
      const input = `${Buffer.from(JSON.stringify(forged)).toString('base64url')}.${body}`;
      const key = keys.signingKey('refresh').privateKey;
      const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
      expect(await statusOf(app.url, `${input}.${signature.toString('base64url')}`)).toBe(401);
    });

    it('start to sign 15 minutes after an update, while earlier tokens stay valid until they are spent', async () => {
      await app.database.query('DELETE FROM refresh_signing_keys');
      expect(await upkeep()).toBeNull();
      const old = await login();
      // Signed as by the earlier release.
      expect(refreshKidOf(old)).toBe(kidOf(old));
      await refreshKeysSignNow();
      await upkeep();
      const renewed = await refreshed(app.url, old.refresh_token);
      expect(await published()).not.toContain(refreshKidOf(renewed));
      expect((await presentRefresh(app.url, renewed.refresh_token)).status).toBe(200);
    });
  });

  it('are replaced after 90 days, with one new key for all instances', async () => {
    expect(await upkeep()).toBeNull();
    await app.database.query(`UPDATE signing_keys SET created_at = created_at - interval '91 days'`);
    const made = await Promise.all([upkeep(), upkeep(), upkeep()]);
    expect(made.filter((kid) => kid !== null)).toHaveLength(1);
  });

  it('are maintained without a lock unless a key is due', async () => {
    const lock = await HeldLock.take(app.database.url, 'LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE');
    expect(await upkeep()).toBeNull();
    await lock.release();
  });

  it('are maintained by one round at a time', async () => {
    await app.database.query(`UPDATE signing_keys SET created_at = created_at - interval '91 days'`);
    const { maintenance: task } = keys as unknown as { maintenance: PeriodicTask };
    const before = await published();
    const lock = await HeldLock.take(app.database.url, 'LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE');
    const first = task.run();
    await until(async () => (await lock.waiting()) === 1);
    const second = task.run();
    // A second round would wait for the lock too.
    expect(await lock.waiting()).toBe(1);
    await lock.release();
    await Promise.all([first, second]);
    expect(await published()).toHaveLength(before.length + 1);
  });

  it('are rotated by npm run keys:rotate while an instance runs', async () => {
    const before = await published();
    const pair = await login();
    const env = { NODE_ENV: 'test', ...app.database.addresses, MASTER_KEY };
    const command = await Instance.spawn({ env, entry: 'dist/src/operator/rotate-keys.js' });
    expect([await command.exitCode, command.stderr]).toEqual([0, '']);
    await command.stop();
    const kid = /^Published the signing key ([\w-]{43})\n$/.exec(command.stdout)?.[1];
    expect(kid).toBeDefined();
    expect(before).not.toContain(kid);
    await upkeep();
    expect((await published()).toSorted()).toEqual([...before, kid].map(String).toSorted());
    expect(headerOf((await login()).access_token)['kid']).not.toBe(kid);
    expect(await statusOf(app.url, pair.access_token)).toBe(200);
    await refreshed(app.url, pair.refresh_token);
  });

  it('are not rotated by the command without the right master key', async () => {
    const env = {
      NODE_ENV: 'test',
      ...app.database.addresses,
      MASTER_KEY: 'bm90IHRoZSBvbmUgdGhhdCBzZWFsZWQgdGhlIGtleXM=',
    };
    // A key is due. A process whose keys no other instance could decrypt must not create it.
    await app.database.query(`UPDATE signing_keys SET created_at = created_at - interval '91 days'`);
    const before = await app.database.query('SELECT kid FROM signing_keys ORDER BY kid');
    const command = await Instance.spawn({ env, entry: 'dist/src/operator/rotate-keys.js' });
    expect(await command.exitCode).toBe(1);
    await command.stop();
    expect(command.stderr).toContain(
      'MASTER_KEY is not the key that encrypted the signing keys in this database',
    );
    expect(await app.database.query('SELECT kid FROM signing_keys ORDER BY kid')).toEqual(before);
  });
});
