import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '../../../src/common/ids.js';
import { auditEncryptionPurpose } from '../../../src/platform/audit-log/audit-log.service.js';
import { UserEncryptionKeys } from '../../../src/platform/crypto/user-encryption-keys.service.js';
import { TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { exportAuditLog, verifyAuditLogFile } from '../../support/builders/audit-log-commands.js';
import { type EntryBody, SEAL_LOCK, sealed, sealedOf, writeEntries } from '../../support/builders/audit.js';
import { signUp } from '../../support/builders/users.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { Tampering } from '../../support/database/tampering.js';
import { TestDatabase } from '../../support/database/test-database.js';

let own: TestDatabase;
let app: TestApp;
beforeAll(async () => {
  own = await TestDatabase.create();
  app = await TestApp.create({ database: own });
});
afterAll(async () => {
  await app.close();
  await own.drop();
});

const get = (path: string) => app.as(app.admin, 'get', path);
const verify = async () =>
  (await app.as(app.admin, 'post', '/api/audit/verify').send({}).expect(200)).body as {
    valid: boolean;
    first_fault?: object;
  };
const refuse = (email: string) =>
  app.request('post', '/api/auth/login').send({ email, password: 'not the password' }).expect(401);
const refusalsOf = async (id: string) =>
  (await get(`/api/audit?target_id=${id}&outcome=denied`).expect(200)).body as EntryBody[];

/** Signs a user up and fails to sign in. Returns the ids of the user and of the entry of the refusal. */
async function refused(email: string): Promise<{ id: string; entryId: string }> {
  const { id } = await signUp(app, 'Refused', email);
  await refuse(email);
  const [entry] = await refusalsOf(id);
  return { id, entryId: entry?.id ?? '' };
}

/** Selects entries that other transactions of the server keep from being sealed. */
const UNSETTLED = 'SELECT FROM audit_entries WHERE xid >= pg_snapshot_xmin(pg_current_snapshot()) LIMIT 1';

/** Inserts a seal over all entries so far, as the previous release does, and rolls it back. */
const INSERT_SEAL = `
  INSERT INTO audit_seals (number, epoch, xid, seq, entries, root, previous, sealed_at, kid, hash, signature, leaf_hashes)
  SELECT coalesce((SELECT max(number) FROM audit_seals), 0) + 1, epoch, xid, seq, 1, '', '', now(), '', '', '', sha256('')
  FROM audit_entries ORDER BY epoch DESC, xid DESC, seq DESC LIMIT 1`;

describe('an entry of a refused sign-in', () => {
  it('has its reason in the sealed leaf, and entries without one keep the leaf of the first release', async () => {
    const { entryId } = await refused('sealed@leaves.example');
    const [plain = ''] = await writeEntries(own);
    await sealed(app, [entryId, plain]);
    const leafOf = async (id: string) => {
      const { body } = await get(`/api/audit/${id}/proof`).expect(200);
      return Buffer.from((body as { leaf_data: string }).leaf_data, 'base64');
    };
    const leaf = await leafOf(entryId);
    expect([leaf[0], leaf.includes('wrong_password')]).toEqual([2, true]);
    expect((await leafOf(plain))[0]).toBe(1);
    expect(await verify()).toMatchObject({ valid: true });
  });

  it('keeps its reason when the user is erased, and still verifies', async () => {
    const { id, entryId } = await refused('erased@leaves.example');
    await app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);
    await app.as(app.admin, 'post', `/api/users/${id}/erase`).expect(202);
    await sealed(app, [entryId]);
    expect(await refusalsOf(id)).toMatchObject([{ reason: 'wrong_password', changes: null, ip: null }]);
    expect(await verify()).toMatchObject({ valid: true });
  });

  it('shows the reason that the first release stored among the changes', async () => {
    const { id } = await signUp(app, 'Earlier', 'earlier@leaves.example');
    const entryId = newId();
    const cipher = await app.nest.get(UserEncryptionKeys).encryptionCipher(id);
    const packed = Buffer.from(JSON.stringify({ reason: { from: null, to: 'disabled' } }));
    await own.query(
      `INSERT INTO audit_entries (id, occurred_at, actor_type, action, target_type, target_id, outcome, changes_key, changes_sealed)
       VALUES ($1, clock_timestamp(), 'anonymous', 'auth.login', 'user', $2::uuid::text, 'denied', $2, $3)`,
      [entryId, id, cipher?.encrypt(packed, auditEncryptionPurpose(entryId, 'changes'))],
    );
    expect(await refusalsOf(id)).toMatchObject([{ id: entryId, reason: 'disabled', changes: null }]);
  });
});

describe('beside an instance of the previous release', () => {
  it('entries without the later columns are sealed with those that have them', async () => {
    const before = await writeEntries(own, 2);
    const { entryId } = await refused('beside@leaves.example');
    const ids = [...before, entryId, ...(await writeEntries(own, 2))];
    await sealed(app, ids);
    expect(await verify()).toMatchObject({ valid: true });
  });

  it('its seal over an entry with a reason is refused, and one over other entries is not', async () => {
    const before = await own.query<{ id: string }>('SELECT id FROM audit_entries');
    await sealed(
      app,
      before.map(({ id }) => id),
    );
    const lock = await HeldLock.take(own.url, 'SELECT pg_advisory_xact_lock($1)', [SEAL_LOCK]);
    try {
      const [plain = ''] = await writeEntries(own);
      await lock.query('SAVEPOINT before_seal');
      await lock.query(INSERT_SEAL);
      await lock.query('ROLLBACK TO before_seal');
      const { entryId } = await refused('unsealed@leaves.example');
      await expect(lock.query(INSERT_SEAL)).rejects.toThrow('covers entries of version 2');
      expect(await sealedOf(own, [plain, entryId])).toBe(0);
    } finally {
      await lock.release();
    }
  });

  it('nothing is left for it that it cannot seal, when the last instance of this release stops', async () => {
    const database = await TestDatabase.create();
    try {
      const last = await TestApp.create({ database });
      const lock = await HeldLock.take(database.url, 'SELECT pg_advisory_xact_lock($1)', [SEAL_LOCK]);
      await last.request('post', '/api/auth/login').send({ email: 'a@b.example', password: 'x' }).expect(401);
      const [entry] = await database.query<{ id: string }>(
        'SELECT id FROM audit_entries WHERE reason IS NOT NULL',
      );
      await lock.query('COMMIT');
      await lock.release();
      await until(async () => (await database.query(UNSETTLED)).length === 0);
      await last.close();
      expect(await sealedOf(database, [entry?.id ?? ''])).toBe(1);
    } finally {
      await database.drop();
    }
  });
});

describe('a superuser who disables the triggers', () => {
  let tampering: Tampering;
  let folder: string;
  let refusal: string;
  let plain: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-leaves-'));
    ({ entryId: refusal } = await refused('tampered@leaves.example'));
    [plain = ''] = await writeEntries(own);
    await sealed(app, [refusal, plain]);
    tampering = await Tampering.prepare(own);
  });
  afterEach(() => tampering.undo());
  afterAll(() => rm(folder, { recursive: true }));

  it.each([
    ['changes the reason of an entry', 'refusal', `reason = 'disabled'`],
    ['removes the reason of an entry', 'refusal', 'reason = NULL'],
    ['adds a digest to an entry', 'refusal', `ip_digest = sha256('')`],
    ['adds a reason to an entry of the first version', 'plain', `reason = 'wrong_password'`],
    ['adds a digest to an entry of the first version', 'plain', `ip_digest = sha256('')`],
  ])('and %s is detected online and offline', async (what, which, change) => {
    const id = which === 'plain' ? plain : refusal;
    await tampering.do([`UPDATE audit_entries SET ${change} WHERE id = $1`, [id]]);
    expect((await verify()).first_fault).toMatchObject({ kind: 'entry_changed', entry_id: id });
    expect((await get(`/api/audit/${id}/proof`)).status).toBe(409);
    const trail = await exportAuditLog(own, join(folder, `${what}.ndjson`));
    const { code, out } = await verifyAuditLogFile(trail);
    expect(code).toBe(1);
    expect(out).toMatch(new RegExp(`^INVALID: entry_changed: .*${id}`));
  });

  it('who changes nothing leaves a log that verifies online and offline', async () => {
    expect(await verify()).toMatchObject({ valid: true });
    const trail = await exportAuditLog(own, join(folder, 'unchanged.ndjson'));
    expect(await verifyAuditLogFile(trail)).toMatchObject({ code: 0 });
    expect(await readFile(trail, 'utf8')).toContain('"reason":"wrong_password"');
  });
});
