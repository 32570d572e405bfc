import { sign } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Logger } from '@nestjs/common';
import { SealWriter } from '../../../src/modules/audit/sealing/seal.writer.js';
import { SealMetrics } from '../../../src/modules/audit/sealing/seal.metrics.js';
import { SealingService } from '../../../src/modules/audit/sealing/sealing.service.js';
import { ENTRY, SEAL_LOCK, sealed, sealedOf, writeEntries } from '../../support/builders/audit.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { type SealBody, sealClient as client } from '../../support/builders/seal-client.js';
import { makeAuditKey } from '../../support/builders/audit-log.js';
import { Tampering } from '../../support/database/tampering.js';
import { TestApp } from '../../support/app/test-app.js';
import { verifyAuditLogFile, exportAuditLog } from '../../support/builders/audit-log-commands.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';
import { NOBODY } from '../../support/builders/users.js';

interface Verdict {
  readonly valid: boolean;
  readonly entries: number;
  readonly seals: number;
  readonly unsealed: number;
  readonly first_fault?: { kind: string; seal?: number; entry_id?: string; message: string };
}

let app: TestApp;
let own: TestDatabase;
let unsealed: HeldLock;
beforeAll(async () => {
  own = await TestDatabase.create();
  // No sealing happens before the first test has run its checks.
  unsealed = await HeldLock.take(own.url, `SELECT pg_advisory_xact_lock(${SEAL_LOCK})`);
  app = await TestApp.create({ database: own });
});
afterAll(async () => {
  await unsealed.release();
  await app.close();
  await own.drop();
});

const get = (path: string) => app.as(app.admin, 'get', `/api/audit/${path}`);
const verify = async (body: object = {}): Promise<Verdict> =>
  (await app.as(app.admin, 'post', '/api/audit/verify').send(body).expect(200)).body as Verdict;
const latest = async () =>
  (await get('seals/latest').expect(200)).body as SealBody & { public_key: { x: string; kid: string } };
/** The number of entries in a seal that covers no others of this file. */
async function sealOf(count: number): Promise<string[]> {
  const ids = await writeEntries(app.database, count);
  await sealed(app, ids);
  return ids;
}

describe('the audit log', () => {
  it('has no head before the first seal, and counts the unsealed entries', async () => {
    expect((await get('seals/latest')).status).toBe(404);
    const [{ entries } = { entries: 0 }] = await own.query<{ entries: number }>(
      'SELECT count(*)::integer AS entries FROM audit_entries',
    );
    expect(entries).toBeGreaterThan(0);
    expect(await verify()).toEqual({ valid: true, entries: 0, dropped: 0, seals: 0, unsealed: entries });
    await unsealed.release();
  });

  it('proves each entry to a client that computes the hashes itself', async () => {
    const ids = await sealOf(5);
    const { public_key: key, ...head } = await latest();
    for (const id of ids) {
      const { body } = await get(`${id}/proof`).expect(200);
      const proof = body as {
        leaf_data: string;
        leaf_index: number;
        tree_size: number;
        path: string[];
        seal: SealBody;
      };
      const data = Buffer.from(proof.leaf_data, 'base64');
      expect(data.toString('hex')).toContain(id.replaceAll('-', ''));
      const leaf = client.sha256(Buffer.of(0), data);
      const path = proof.path.map((hash) => Buffer.from(hash, 'hex'));
      const root = Buffer.from(proof.seal.root, 'hex');
      expect(client.isIncluded(leaf, proof.leaf_index, proof.tree_size, path, root)).toBe(true);
      expect(proof.tree_size).toBe(proof.seal.entries);
      expect(client.sealHash(proof.seal)).toBe(proof.seal.hash);
      expect(client.isSigned(proof.seal, key.x)).toBe(true);
    }
    expect(client.sealHash(head)).toBe(head.hash);
    expect(client.isSigned(head, makeAuditKey().x)).toBe(false);
  });

  it('returns 404 for the proof of an unknown entry', async () => {
    expect((await get(`${NOBODY}/proof`)).status).toBe(404);
    expect((await get('no-id/proof')).status).toBe(400);
  });

  it('pages through its seals newest first, each linked to its predecessor', async () => {
    await sealOf(1);
    await sealOf(1);
    const all = (await get('seals?limit=100&total=exact').expect(200)).body as SealBody[];
    expect(all.map(({ number }) => number)).toEqual(all.map((_, index) => all.length - index));
    expect(all.slice(0, -1).map(({ previous }) => previous)).toEqual(all.slice(1).map(({ hash }) => hash));
    expect(all.at(-1)?.previous).toBe('00'.repeat(32));
    const first = await get('seals?limit=1').expect(200);
    const next = /^<([^>]+)>; rel="next"$/.exec(first.get('Link') ?? '')?.[1] ?? '';
    const second = (await app.as(app.admin, 'get', next).expect(200)).body as SealBody[];
    expect(second).toEqual(all.slice(1, 2));
  });

  it('verifies the seals between two times', async () => {
    const { sealed_at: at, number } = await latest();
    expect(await verify()).toMatchObject({ valid: true, seals: number });
    expect(await verify({ from: at, to: at })).toMatchObject({ valid: true });
    expect(await verify({ from: '2999-01-01T00:00:00Z' })).toMatchObject({ valid: true, seals: 0 });
    const early = { to: '2000-01-01T00:00:00.000Z' };
    expect(await verify(early)).toMatchObject({ valid: true, seals: 1 });
    for (const body of [{ from: 'yesterday' }, { to: '2026-02-30T00:00:00Z' }, { ...early, from: at }]) {
      expect((await app.as(app.admin, 'post', '/api/audit/verify').send(body)).status).toBe(400);
    }
  });
});

/** A seal writer whose interval between logged heads a test can end. */
class TestSealWriter extends SealWriter {
  declare headLoggedEveryMs: number;
}

describe('the head', () => {
  it('is logged with the first seal of an instance and then at intervals, not with each seal', async () => {
    const said: string[] = [];
    // The log is held back until the service serves requests.
    app.nest.flushLogs();
    const silent = () => {};
    Logger.overrideLogger({ log: (line: unknown) => said.push(String(line)), error: silent, warn: silent });
    const heads = () => said.filter((line) => line.startsWith('audit head: '));
    // The app has already logged a head; this instance has not.
    const writer = new TestSealWriter(app.nest.get(SealingService), app.nest.get(SealMetrics));
    const logged = async (count: number) =>
      until(async () => {
        await writer.sealSettled();
        return heads().length === count;
      });
    try {
      await sealOf(1);
      await logged(1);
      const seals = (await get('seals?limit=100').expect(200)).body as SealBody[];
      expect(
        seals.map(({ number, hash, position }) => `audit head: seal ${number} ${hash} at ${position}`),
      ).toContain(heads()[0]);
      await sealOf(1);
      for (let round = 0; round < 5; round++) await writer.sealSettled();
      expect(heads()).toHaveLength(1);
      writer.headLoggedEveryMs = 0;
      await logged(2);
      expect(heads()[1]).not.toBe(heads()[0]);
    } finally {
      Logger.overrideLogger(false);
    }
  });
});

describe('a writer', () => {
  it('with an open transaction is sealed later, once, and neither side waits for the other', async () => {
    const before = await writeEntries(app.database);
    const slow = new pg.Client({ connectionString: app.database.url });
    await slow.connect();
    let late: string[];
    let meanwhile: string[];
    try {
      await slow.query('BEGIN');
      late = (await slow.query<{ id: string }>(`${ENTRY} RETURNING id`, [2])).rows.map(({ id }) => id);
      meanwhile = await writeEntries(app.database, 3);
      // Earlier entries are sealed while the transaction is still open.
      await sealed(app, before);
      await app.nest.get(SealWriter).sealSettled();
      expect(await sealedOf(app.database, meanwhile)).toBe(0);
      const waiting = await get(`${meanwhile[0]}/proof`);
      expect([waiting.status, waiting.get('Retry-After')]).toEqual([409, '1']);
      await slow.query('COMMIT');
    } finally {
      await slow.end();
    }
    await sealed(app, [...late, ...meanwhile]);
    const [count] = await app.database.query<{ written: string; sealed: string }>(
      'SELECT (SELECT count(*) FROM audit_entries) AS written, (SELECT sum(entries) FROM audit_seals) AS sealed',
    );
    expect(count?.sealed).toBe(count?.written);
    expect(await verify()).toMatchObject({ valid: true, unsealed: 0 });
    for (const id of [...before, ...late, ...meanwhile]) await get(`${id}/proof`).expect(200);
  });

  it('does not wait for a running sealer', async () => {
    const sealer = await HeldLock.take(app.database.url, 'SELECT pg_advisory_xact_lock($1)', [SEAL_LOCK]);
    try {
      await sealer.query('SELECT * FROM audit_seals FOR SHARE');
      const ids = await writeEntries(app.database, 2);
      await app.nest.get(SealWriter).sealSettled();
      expect(await sealedOf(app.database, ids)).toBe(0);
    } finally {
      await sealer.release();
    }
  });
});

describe('a superuser who disables the triggers', () => {
  let ids: string[];
  let number: number;
  let tampering: Tampering;
  let folder: string;
  const file = (name: string) => join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-trail-'));
    await sealOf(2);
    ids = await sealOf(5);
    ({ number } = await latest());
    await sealOf(2);
    await writeFile(file('head.json'), JSON.stringify(await latest()));
    tampering = await Tampering.prepare(app.database);
  });
  afterEach(() => tampering.undo());
  afterAll(async () => {
    expect(await verify()).toMatchObject({ valid: true });
    await rm(folder, { recursive: true });
  });

  const faultOf = async () => (await verify()).first_fault;
  const id = (index: number): string => ids[index] ?? '';
  const exported = (name: string) => exportAuditLog(app.database, file(name));

  it('and changes a value is detected', async () => {
    await tampering.do([`UPDATE audit_entries SET outcome = 'denied' WHERE id = $1`, [id(2)]]);
    expect(await faultOf()).toMatchObject({ kind: 'entry_changed', seal: number, entry_id: id(2) });
    expect((await get(`${id(2)}/proof`)).status).toBe(409);
  });

  it('and deletes an entry is detected', async () => {
    await tampering.do(['DELETE FROM audit_entries WHERE id = $1', [id(1)]]);
    const fault = await faultOf();
    expect(fault).toMatchObject({ kind: 'entry_missing', seal: number, entry_id: id(2) });
    expect(fault?.message).toContain('entry 2 of the 5');
  });

  it('and inserts an entry in the past is detected', async () => {
    await tampering.do([
      `INSERT INTO audit_entries (epoch, xid, seq, id, occurred_at, actor_type, action, outcome)
       SELECT epoch, xid, seq, $2, occurred_at, actor_type, action, outcome FROM audit_entries WHERE id = $1`,
      [id(3), NOBODY],
    ]);
    expect(await faultOf()).toMatchObject({ kind: 'entry_inserted', seal: number, entry_id: NOBODY });
  });

  it('and swaps two entries is detected', async () => {
    await tampering.do([
      `UPDATE audit_entries AS one SET seq = other.seq FROM audit_entries AS other
       WHERE (one.id = $1 AND other.id = $2) OR (one.id = $2 AND other.id = $1)`,
      [id(1), id(3)],
    ]);
    expect(await faultOf()).toMatchObject({ kind: 'entry_reordered', seal: number, entry_id: id(3) });
  });

  it('and removes a seal with its entries is detected', async () => {
    await tampering.do(
      ['DELETE FROM audit_entries WHERE id = ANY ($1)', [ids]],
      ['DELETE FROM audit_seals WHERE number = $1', [number]],
    );
    expect(await faultOf()).toMatchObject({ kind: 'seal_missing', seal: number });
  });

  it('and replaces a seal is detected', async () => {
    await tampering.do([`UPDATE audit_seals SET root = sha256('') WHERE number = $1`, [number]]);
    expect(await faultOf()).toMatchObject({ kind: 'seal_changed', seal: number });
  });

  it('and replaces a seal with one signed by an inserted key is detected', async () => {
    const { kid, x, privateKey } = makeAuditKey();
    const forged = await hashOf(number, kid);
    const signed = sign(null, forged, privateKey);
    await tampering.do(
      [
        'INSERT INTO audit_keys (kid, public_key, private_key_sealed) VALUES ($1, $2, $2)',
        [kid, Buffer.from(x, 'base64url')],
      ],
      [
        'UPDATE audit_seals SET kid = $2, hash = $3, signature = $4 WHERE number = $1',
        [number, kid, forged, signed],
      ],
    );
    expect(await faultOf()).toMatchObject({ kind: 'key_unknown', seal: number });
    await tampering.do([
      'UPDATE audit_seals SET signature = $2, kid = $3, hash = $4 WHERE number = $1',
      [number, signed, (await latest()).kid, await hashOf(number, (await latest()).kid)],
    ]);
    expect(await faultOf()).toMatchObject({ kind: 'signature_wrong', seal: number });
  });

  it('and removes the end is detected with a kept head', async () => {
    await tampering.do(
      [
        `DELETE FROM audit_entries WHERE (epoch, xid, seq) >
         (SELECT epoch, xid, seq FROM audit_seals WHERE number = $1)`,
        [number],
      ],
      ['DELETE FROM audit_seals WHERE number > $1', [number]],
    );
    expect(await verify()).toMatchObject({ valid: true, seals: number });
    const trail = await exported('cut.ndjson');
    expect(await verifyAuditLogFile(trail)).toMatchObject({ code: 0 });
    const { code, out } = await verifyAuditLogFile(trail, '--head', file('head.json'));
    expect(code).toBe(1);
    // The kind is head_replaced if the log has grown past the head by then, because a verification adds an
    // entry.
    expect(out).toMatch(/^INVALID: head_(?:missing|replaced): /);
  });

  describe('with an exported audit log', () => {
    let trail: string;
    let lines: string[];
    beforeAll(async () => {
      trail = await exported('trail.ndjson');
      lines = (await readFile(trail, 'utf8')).trimEnd().split('\n');
    });
    const checked = async (name: string, changed: readonly string[], ...more: string[]) => {
      await writeFile(file(name), changed.join('\n'));
      return verifyAuditLogFile(file(name), ...more);
    };

    it('can be verified without a database, and the report names what is not covered', async () => {
      const { code, out } = await verifyAuditLogFile(trail, '--head', file('head.json'));
      expect([code, out]).toEqual([
        0,
        expect.stringMatching(/^VALID: \d+ seals over \d+ entries\nNot covered: 0 /),
      ]);
      expect((await verifyAuditLogFile(trail)).out).toContain('without a head');
    });

    it('is rejected with another key, another order or a missing line', async () => {
      const header = JSON.parse(lines[0] ?? '') as { keys: object[] };
      const forged = { ...header, keys: [{ kty: 'OKP', crv: 'Ed25519', ...jwkOf(makeAuditKey()) }] };
      const rest = lines.slice(1);
      expect((await checked('key', [JSON.stringify(forged), ...rest])).out).toContain('key_unknown');
      const isEntry = (line: string) => 'entry' in (JSON.parse(line) as object);
      const first = lines.findIndex((line, n) => isEntry(line) && isEntry(lines[n + 1] ?? '{}'));
      const swapped = lines.toSpliced(first, 2, lines[first + 1] ?? '', lines[first] ?? '');
      expect((await checked('order', swapped)).out).toContain('entry_reordered');
      expect((await checked('line', lines.toSpliced(1, 1))).out).toContain('entry_missing');
      const wrongHead = { number, hash: '00'.repeat(32) };
      await writeFile(file('other.json'), JSON.stringify(wrongHead));
      expect((await verifyAuditLogFile(trail, '--head', file('other.json'))).out).toContain('head_replaced');
    });

    it('makes the verifier exit with 2 if it is unreadable', async () => {
      for (const [name, changed] of [
        ['empty', []],
        ['text', ['not JSON']],
        ['half', [...lines.slice(0, 2), '{"entry": {}}']],
      ] as const) {
        expect([name, (await checked(name, changed)).code]).toEqual([name, 2]);
      }
      expect((await verifyAuditLogFile(file('nowhere'))).code).toBe(2);
      expect((await verifyAuditLogFile(trail, '--head', trail)).code).toBe(2);
    });
  });

  /** Returns the hash of that seal with another key named in it. */
  async function hashOf(which: number, kid: string): Promise<Buffer> {
    const all = (await get('seals?limit=100').expect(200)).body as SealBody[];
    const seal = all.find((each) => each.number === which);
    if (!seal) throw new Error(`seal ${which} does not exist`);
    return Buffer.from(client.sealHash({ ...seal, kid }), 'hex');
  }
});

const jwkOf = ({ x, kid }: { x: string; kid: string }) => ({ x, kid });
