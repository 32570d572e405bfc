import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '../../../src/common/ids.js';
import { AuditIpUsers } from '../../../src/platform/audit-log/audit-ip-users.service.js';
import { UserEncryptionKeys } from '../../../src/platform/crypto/user-encryption-keys.service.js';
import { SqlRunner } from '../../../src/platform/database/sql.runner.js';
import { UnitOfWork } from '../../../src/platform/database/transactions/unit-of-work.js';
import { type EntryBody, listEntries, readEntries, sealed } from '../../support/builders/audit.js';
import { AUDIT_PAGE, rowsReadBy } from '../../support/builders/audit-plans.js';
import { linesOf, runExport } from '../../support/builders/exports.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { createUserWith, nextPage } from '../../support/builders/users.js';

let app: TestApp;
/** May read the audit log and nothing else. */
let auditor: TestUser;
beforeAll(async () => {
  app = await TestApp.create({ config: { TRUSTED_PROXIES: ['127.0.0.1'] } });
  auditor = await createUserWith(app, ['audit:read', 'export:run']);
});
afterAll(() => app?.close());

const list = (query: Record<string, string>) => listEntries(app, auditor, query);
const entries = (query: Record<string, string>) => readEntries(app, auditor, query);
const told = async (query: Record<string, string>) =>
  (await entries(query)).map(({ action, outcome }) => [action, outcome]);

/** Sends the request from this address. */
const from = <T extends { set(headers: object): T }>(ip: string, request: T): T =>
  request.set({ 'X-Forwarded-For': ip });
const rename = (user: TestUser, ip: string, name = 'Renamed') =>
  from(ip, app.as(user, 'patch', '/api/users/me'))
    .send({ name })
    .expect(200);
const refuse = (email: string, ip: string) =>
  from(ip, app.request('post', '/api/auth/login')).send({ email, password: 'not the password' }).expect(401);
async function signIn(email: string, ip: string): Promise<{ access_token: string; refresh_token: string }> {
  const answer = await from(ip, app.request('post', '/api/auth/login')).send({ email, password: PASSWORD });
  return answer.body as { access_token: string; refresh_token: string };
}
async function signUp(email: string, ip: string): Promise<TestUser> {
  const body = { email, name: 'Somebody', password: PASSWORD };
  const created = await from(ip, app.request('post', '/api/users')).send(body).expect(201);
  const { id } = created.body as { id: string };
  return { id, email, token: (await signIn(email, ip)).access_token };
}
async function erase({ id }: TestUser): Promise<void> {
  await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
  await app.as(app.admin, 'post', `/api/users/${id}/erase`).expect(202);
}
const storedUses = ({ id }: TestUser) =>
  app.database.query<{ ip: Buffer; digest: Buffer }>(
    'SELECT ip, digest FROM audit_ip_users WHERE user_id = $1',
    [id],
  );
/** Returns the rows that lead from this address to entries of the user, who also signed in from 127.0.0.1. */
async function usesOf(user: TestUser, ip: string): Promise<{ ip: Buffer; digest: Buffer }[]> {
  const [found] = await app.nest.get(AuditIpUsers).findDigests({ ip, userId: user.id }, 1);
  return (await storedUses(user)).filter(({ digest }) => found?.equals(digest));
}

describe('the filter by IP address', () => {
  it('returns the requests from that address, whoever sent them, in the list and in an export', async () => {
    const ip = '203.0.113.7';
    const ada = await signUp('ada@ip.example', ip);
    await rename(ada, ip);
    await rename(ada, '203.0.113.8', 'Elsewhere');
    await refuse('ada@ip.example', ip);
    await refuse('nobody@ip.example', ip);
    await from(ip, app.as(ada, 'get', '/api/users')).expect(403);
    const found = await entries({ ip });
    expect(found.map(({ action, outcome, reason }) => [action, outcome, reason])).toEqual([
      ['permission.check', 'denied', null],
      ['auth.login', 'denied', 'unknown_user'],
      ['auth.login', 'denied', 'wrong_password'],
      ['user.update', 'success', null],
      ['auth.login', 'success', null],
      ['user.create', 'success', null],
    ]);
    expect(new Set(found.map((entry) => entry.ip))).toEqual(new Set([ip]));
    const counted = await list({ ip, total: 'exact', limit: '1' });
    expect(counted.get('X-Total-Count')).toBe('6');
    const path = `/api/export/audit?format=ndjson&ip=${ip}`;
    const { rows } = linesOf((await runExport({ url: app.url, user: auditor, path })).text);
    expect(rows.map((row) => (JSON.parse(row) as EntryBody).id)).toEqual(
      found.map(({ id }) => id).toReversed(),
    );
  });

  it('returns a refresh from an address that the session did not use before', async () => {
    const { email } = await app.createUser();
    const pair = await signIn(email, '203.0.113.20');
    await from('203.0.113.21', app.request('post', '/api/auth/refresh'))
      .send({ refresh_token: pair.refresh_token })
      .expect(200);
    expect(await told({ ip: '203.0.113.20' })).toEqual([['auth.login', 'success']]);
    expect(await told({ ip: '203.0.113.21' })).toEqual([['auth.refresh', 'success']]);
  });

  it('accepts any spelling of an address', async () => {
    const user = await app.createUser();
    await rename(user, '2001:DB8:0:0::7');
    await rename(user, '::ffff:198.51.100.9', 'Mapped');
    for (const ip of ['2001:db8::7', ' 2001:0db8:0:0:0:0:0:7 ', '2001:DB8::0.0.0.7']) {
      expect([ip, await told({ ip })]).toEqual([ip, [['user.update', 'success']]]);
    }
    expect(await told({ ip: '198.51.100.9' })).toEqual([['user.update', 'success']]);
    expect(await told({ ip: '::ffff:c633:6409' })).toEqual([['user.update', 'success']]);
  });

  it('pages by cursor over several users, and refuses the cursor of another address', async () => {
    const ip = '203.0.113.30';
    const users = await Promise.all(['one', 'two', 'three'].map(() => app.createUser()));
    for (const name of ['First', 'Second']) for (const user of users) await rename(user, ip, name);
    const whole = await entries({ ip });
    expect(whole).toHaveLength(6);
    const found: EntryBody[] = [];
    for (let next: string | null = `/api/audit?ip=${ip}&limit=4`; next !== null;) {
      const answer = await app.as(auditor, 'get', next).expect(200);
      found.push(...(answer.body as EntryBody[]));
      next = nextPage(answer);
    }
    expect(found).toEqual(whole);
    expect(await entries({ ip, limit: '2', offset: '3' })).toEqual(whole.slice(3, 5));
    const link = nextPage(await list({ ip, limit: '1' }));
    const cursor = new URLSearchParams(link?.split('?')[1]).get('cursor') ?? '';
    const other = await list({ ip: '203.0.113.31', limit: '1', cursor });
    expect(other.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field: 'cursor' }] } });
  });

  it('narrows the other filters', async () => {
    const ip = '203.0.113.40';
    const ada = await signUp('narrow@ip.example', ip);
    const bob = await app.createUser();
    await rename(ada, ip);
    await rename(bob, ip);
    await rename(ada, '203.0.113.41', 'Elsewhere');
    expect(await told({ ip, actor_id: ada.id })).toEqual([
      ['user.update', 'success'],
      ['auth.login', 'success'],
    ]);
    expect(await told({ ip, target_id: bob.id })).toEqual([['user.update', 'success']]);
    expect(await told({ ip, action: 'user.create,auth.login' })).toEqual([
      ['auth.login', 'success'],
      ['user.create', 'success'],
    ]);
    const asAdmin = app
      .as(app.admin, 'get', '/api/audit')
      .query({ ip, email: ada.email, action: 'user.update' });
    expect((await asAdmin.expect(200)).body).toMatchObject([{ actor: { id: ada.id }, ip }]);
    const hour = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
    expect(await told({ ip, from: hour(-1), to: hour(1), action: 'user.create' })).toHaveLength(1);
    expect(await entries({ ip, to: hour(-1) })).toEqual([]);
    expect(await entries({ ip, from: hour(24 * 40) })).toEqual([]);
  });

  it('returns nothing for an address that nobody used, and rejects text that is no address', async () => {
    const counted = await list({ ip: '192.0.2.1', total: 'exact' });
    expect([counted.body, counted.get('X-Total-Count')]).toEqual([[], '0']);
    for (const ip of ['', '10', '203.0.113.0/24', '203.0.113.7:80', '[::1]', 'localhost', '0x7f.1']) {
      const { body } = await list({ ip });
      expect(body).toMatchObject({
        error: {
          code: 'VALIDATION_ERROR',
          details: [{ field: 'ip', message: 'ip must be an IPv4 or IPv6 address' }],
        },
      });
    }
  });

  it('finds no entry of the first release, which has no digest', async () => {
    const ip = '203.0.113.50';
    const user = await app.createUser();
    await rename(user, ip);
    await app.database.query(
      `INSERT INTO audit_entries (id, occurred_at, actor_type, actor_id, action, outcome, origin_key)
       SELECT $1, clock_timestamp(), actor_type, actor_id, action, outcome, origin_key
       FROM audit_entries WHERE actor_id = $2 AND action = 'user.update'`,
      [newId(), user.id],
    );
    expect(await told({ ip })).toEqual([['user.update', 'success']]);
    expect(await told({ actor_id: user.id, action: 'user.update' })).toHaveLength(2);
  });

  it('reads only entries of that address, in the order of its index', async () => {
    const user = await app.createUser();
    await rename(user, '203.0.113.60');
    const [use] = await usesOf(user, '203.0.113.60');
    await app.database.query(
      `INSERT INTO audit_entries (id, occurred_at, actor_type, actor_id, action, outcome, ip_digest)
       SELECT gen_random_uuid(), clock_timestamp(), 'user', $1, 'auth.refresh', 'success',
              CASE n % 2 WHEN 0 THEN $2 ELSE sha256('another') END
       FROM generate_series(1, 40_000) AS n`,
      [user.id, use?.digest],
    );
    await app.database.query('ANALYZE audit_entries');
    const ipDigests = await app.nest.get(AuditIpUsers).findDigests({ ip: '203.0.113.60' }, 10);
    expect(ipDigests).toEqual([use?.digest]);
    expect(Math.max(...(await rowsReadBy(app, { ipDigests })))).toBe(AUDIT_PAGE);
  });

  it('asks to narrow a search for an address of more than 10,000 users', async () => {
    const user = await app.createUser();
    await rename(user, '203.0.113.70');
    await app.database.query(
      `INSERT INTO audit_ip_users (ip, month, user_id, digest)
       SELECT ip, '2020-01-01', gen_random_uuid(), sha256(n::text::bytea)
       FROM audit_ip_users, generate_series(1, 10_000) AS n WHERE user_id = $1 AND ip = $2`,
      [user.id, (await usesOf(user, '203.0.113.70'))[0]?.ip],
    );
    const { body } = await list({ ip: '203.0.113.70' });
    const message = 'more than 10,000 users used this ip: give actor_id, or from and to, as well';
    expect(body).toMatchObject({ error: { details: [{ field: 'ip', message }] } });
    expect(await told({ ip: '203.0.113.70', actor_id: user.id })).toHaveLength(1);
    expect(await told({ ip: '203.0.113.70', from: '2020-03-01T00:00:00Z' })).toHaveLength(1);
  });
});

describe('the digest of an IP address', () => {
  it('differs from user to user, and from any digest without a key', async () => {
    const ip = '203.0.113.80';
    const [one, other] = [await app.createUser(), await app.createUser()];
    await rename(one, ip);
    await rename(other, ip);
    const stored = await app.database.query<{ ip_digest: Buffer }>(
      `SELECT ip_digest FROM audit_entries WHERE actor_id = ANY ($1) AND action = 'user.update'`,
      [[one.id, other.id]],
    );
    const digests = stored.map((row) => row.ip_digest.toString('hex'));
    expect(new Set(digests).size).toBe(2);
    expect(digests.map((digest) => digest.length)).toEqual([32, 32]);
    expect(digests).not.toContain(createHash('sha256').update(ip).digest('hex').slice(0, 32));
    const [[first], [second]] = [await usesOf(one, ip), await usesOf(other, ip)];
    expect(first?.ip).toEqual(second?.ip);
    expect(digests).not.toContain(first?.ip.toString('hex'));
  });

  it('is the same for all entries of a user, with one row that leads to them', async () => {
    const [user, ip] = [await app.createUser(), '203.0.113.81'];
    for (const name of ['One', 'Two', 'Three']) await rename(user, ip, name);
    const digests = await app.database.query(
      `SELECT DISTINCT ip_digest FROM audit_entries WHERE actor_id = $1 AND action = 'user.update'`,
      [user.id],
    );
    expect(digests).toHaveLength(1);
    expect(await usesOf(user, ip)).toHaveLength(1);
  });

  it('is useless once the user is erased, while the audit log still verifies', async () => {
    const ip = '203.0.113.90';
    const gone = await signUp('gone@ip.example', ip);
    const stays = await app.createUser();
    await rename(gone, ip);
    await rename(stays, ip);
    expect(await entries({ ip })).toHaveLength(4);
    await erase(gone);
    expect(await told({ ip })).toEqual([['user.update', 'success']]);
    expect(await storedUses(gone)).toEqual([]);
    expect(await app.nest.get(UserEncryptionKeys).decryptionCipher(gone.id)).toBeNull();
    const left = await app.database.query<{ id: string }>(
      'SELECT id FROM audit_entries WHERE actor_id = $1 AND ip_digest IS NOT NULL',
      [gone.id],
    );
    expect(left).toHaveLength(2);
    await sealed(
      app,
      left.map(({ id }) => id),
    );
    const verdict = await app.as(app.admin, 'post', '/api/audit/verify').send({}).expect(200);
    expect(verdict.body).toMatchObject({ valid: true });
  });

  it('leaves no row when a write of the user ends during the erasure or after it', async () => {
    const user = await app.createUser();
    const uses = app.nest.get(AuditIpUsers);
    const sql = app.nest.get(SqlRunner);
    const cipher = await app.nest.get(UserEncryptionKeys).encryptionCipher(user.id);
    if (!cipher) throw new Error('the user has no key');
    const useOf = (ip: string) => {
      const { use } = uses.digestFor(cipher, { userId: user.id, ip, uncached: true });
      if (!use) throw new Error('the use is already stored');
      return use;
    };
    await app.as(app.admin, 'delete', `/api/users/${user.id}`).expect(204);
    let erasing: Promise<unknown> = Promise.resolve();
    await app.nest.get(UnitOfWork).run(async () => {
      await uses.add(useOf('203.0.113.91'));
      await sql.execute('SELECT 1');
      erasing = app
        .as(app.admin, 'post', `/api/users/${user.id}/erase`)
        .expect(202)
        .then(({ status }) => status);
      await until(async () => {
        const waiting = await app.database.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return waiting.length === 1;
      });
    });
    await erasing;
    expect(await storedUses(user)).toEqual([]);
    await uses.add(useOf('203.0.113.92'));
    expect(await storedUses(user)).toEqual([]);
  });
});
