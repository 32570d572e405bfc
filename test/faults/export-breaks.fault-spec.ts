import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { noSignals } from '../support/faults/backends.js';
import { addRows } from '../support/builders/export-rows.js';
import { linesOf, OpenExport } from '../support/builders/exports.js';
import { Instance } from '../support/app/instance.js';
import { MASTER_KEY } from '../support/app/secrets.js';
import { bearer, closeConnections, send } from '../support/http/send.js';
import { type TestUser, ADMIN, PASSWORD, signIn } from '../support/app/test-app.js';
import { TestDatabase } from '../support/database/test-database.js';
import { until } from '../support/app/until.js';
import type { UserBody } from '../support/builders/users.js';
import { wherePossible } from '../support/app/where-possible.js';

const BREAKS = 20;
const ROWS = 80_000;
const READERS = 100;
const MAX_GROWTH_MB = 100;
const MB = 1024;

// The fault specs run one at a time, so they may crash the run's server.
wherePossible(noSignals, 'exports that break', () => {
  let database: TestDatabase;
  let instances: Instance[];
  let admin: TestUser;
  const start = (env: Readonly<Record<string, string>> = {}): Promise<Instance> =>
    Instance.start({
      env: {
        ...env,
        NODE_ENV: 'test',
        LOG_LEVEL: 'silent',
        ...database.addresses,
        ADMIN_PASSWORD: ADMIN.password,
        MASTER_KEY,
      },
    });
  beforeAll(async () => {
    database = await TestDatabase.create();
    instances = [await start(), await start()];
    await addRows(database, ROWS);
    admin = await signIn(instances[0]!.url, ADMIN.email, ADMIN.password);
  });
  afterAll(async () => {
    closeConnections();
    await Promise.all(instances.map((each) => each.stop('SIGKILL')));
    await database.drop();
  });

  const call = (method: string, path: string, body?: object) => {
    const [{ url }] = instances as [Instance];
    const headers = { ...bearer(admin), 'If-Match': '*' };
    return send(url, { method, path, headers, ...(body && { body }) });
  };

  /** Kills one backend with -9. PostgreSQL then ends all others and recovers as after a crash. */
  async function crashDatabase(): Promise<void> {
    const client = new pg.Client({ connectionString: database.url });
    client.on('error', () => {});
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    // The test server commits asynchronously, and this test is not about lost commits.
    await client.query('CHECKPOINT');
    process.kill(rows[0]!.pid, 'SIGKILL');
    await serves();
  }
  const serves = async () => {
    let said = '';
    const answers = async () => {
      const answer = await call('GET', '/api/users?limit=1').catch((error: unknown) => String(error));
      said = typeof answer === 'string' ? answer : `${answer.status} ${answer.text}`;
      return typeof answer !== 'string' && answer.status === 200;
    };
    await until(answers, 25_000, 'an answer').catch((error: unknown) => {
      throw new Error(said, { cause: error });
    });
  };

  /**
   * Creates, changes, deletes and restores users until stopped. Calls that fail with the database have no
   * effect.
   */
  function disturb(ids: readonly string[]): () => Promise<void> {
    const over = new AbortController();
    const act = async (worker: number) => {
      for (let n = worker; !over.signal.aborted; n += 7) {
        const id = ids[(n * 7919) % ids.length];
        const acts = [
          () => call('PATCH', `/api/users/${id}`, { name: `Changed ${n}` }),
          () => call('DELETE', `/api/users/${id}`),
          () => call('POST', `/api/users/${id}/restore`),
          () =>
            call('POST', '/api/users', { email: `new-${n}@example.com`, name: 'New', password: PASSWORD }),
        ];
        await acts[n % acts.length]!().catch(() => new Promise((resolve) => setTimeout(resolve, 50)));
      }
    };
    const workers = [1, 2, 3].map(act);
    return async () => {
      over.abort();
      await Promise.all(workers);
    };
  }

  it(`exports every row once, as of the snapshot, across ${BREAKS} interruptions`, async () => {
    const listed = await database.query<{ id: string }>(
      `SELECT id FROM users WHERE status <> 'deleted' ORDER BY id`,
    );
    const path = '/api/export/users?format=ndjson&fields=id,email,name,status,version,updated_at';
    const joined: string[] = [];
    const begun = await OpenExport.begin({ url: instances[1]!.url, user: admin, path });
    begun.request.destroy();
    const first = `&after=${String(begun.response.headers['x-export-cursor'])}`;
    let place = first;
    let breaks = 0;
    const stop = disturb(listed.map(({ id }) => id).filter((id) => id !== admin.id));
    try {
      for (let turn = 0; ; turn++) {
        const target = instances[turn % 2]!;
        const open = await OpenExport.begin({ url: target.url, user: admin, path: path + place }).catch(
          () => null,
        );
        if (open?.response.statusCode !== 200) {
          open?.request.destroy();
          await serves();
          continue;
        }
        const cursor = String(open.response.headers['x-export-cursor']);
        const enough = 10_000 + ((turn * 104_729) % 100_000);
        const broken: Promise<unknown>[] = [];
        const part = await open.read((text) => {
          if (breaks >= BREAKS || text.length < enough) return false;
          // Aborts here, or breaks the other end while it sends.
          if (turn % 3 === 0) return true;
          if (broken.length === 0) broken.push(turn % 3 === 1 ? target.stop('SIGKILL') : crashDatabase());
          // Stops early, because the rest of the rows must last for the other interruptions.
          return text.length > enough * 3;
        });
        await Promise.all(broken);
        if (broken.length > 0 && turn % 3 === 1) instances[turn % 2] = await start();
        const { rows, complete } = linesOf(part.text);
        const whole = rows.filter((row) => !row.startsWith('{"error"'));
        joined.push(...whole);
        if (complete) {
          expect(complete.count).toBe(joined.length);
          break;
        }
        breaks++;
        place = `&after=${cursor}&received=${whole.length}`;
      }
    } finally {
      await stop();
    }
    expect(breaks).toBeGreaterThanOrEqual(BREAKS);
    const again = await OpenExport.begin({
      url: instances[0]!.url,
      user: admin,
      path: path + first,
    });
    const { rows, complete } = linesOf((await again.read()).text);
    expect(complete?.count).toBe(rows.length);
    expect(joined).toEqual(rows);
    const ids = joined.map((row) => (JSON.parse(row) as UserBody).id);
    expect(ids).toEqual(listed.map(({ id }) => id));
  }, 300_000);

  it(`uses almost no memory for ${READERS} readers that never read, and frees their places within a second`, async () => {
    const instance = await start({ EXPORT_CONCURRENCY: String(READERS) });
    instances.push(instance);
    const memory = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${instance.process.pid}/status`, 'utf8'))?.[1]) / MB;
    const { hostname, port } = new URL(instance.url);
    const me = () => send(instance.url, { path: '/api/users/me', headers: bearer(admin) });
    const begin = () => OpenExport.begin({ url: instance.url, user: admin });
    const placesForAll = async () => {
      const all = await Promise.all(Array.from({ length: READERS }, begin));
      for (const { request } of all) request.destroy();
      return all.every(({ response }) => response.statusCode === 200);
    };
    for (let i = 0; i < 50; i++) await me();
    const before = memory();
    const sockets: Socket[] = [];
    for (let i = 0; i < READERS; i++) {
      const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
      socket.on('error', () => {}).pause();
      socket.write(
        `GET /api/export/users?format=ndjson HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${admin.token}\r\n\r\n`,
      );
      sockets.push(socket);
    }
    let most = 0;
    // Long enough to fill every buffer on the way and to count as stalled.
    for (let i = 0; i < 100; i++) {
      expect((await me()).status).toBe(200);
      most = Math.max(most, memory());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    process.stdout.write(`${READERS} readers: ${(most - before).toFixed(1)} MB\n`);
    expect(most - before).toBeLessThan(MAX_GROWTH_MB);
    const refused = await begin();
    expect(refused.response.statusCode).toBe(503);
    refused.request.destroy();
    // Every other socket closes only its own half and leaves the received data unread.
    for (const [i, socket] of sockets.entries()) {
      if (i % 2 === 0) socket.destroy();
      else socket.end();
    }
    await until(placesForAll, 1000, 'a place for each of as many others');
    for (const socket of sockets) socket.destroy();
  }, 60_000);
});
