import { HeldLock } from '../database/held-lock.js';
import { Instance } from '../app/instance.js';
import { receivers } from '../builders/resources.js';
import { MASTER_KEY } from '../app/secrets.js';
import { bearer, send } from '../http/send.js';
import { ADMIN, signIn } from '../app/test-app.js';
import type { TestDatabase } from '../database/test-database.js';
import { until } from '../app/until.js';

/** The result of a batch whose instances were killed. */
interface Survived {
  readonly job: {
    readonly status: string;
    readonly total: number;
    readonly done: number;
    readonly failed: number;
  };
  /** The number of rows by outcome. */
  readonly results: Readonly<Record<string, number>>;
  /** The number of `user.disabled` events, of their users, and of audit entries. */
  readonly events: { readonly events: number; readonly users: number; readonly entries: number };
  /** The time from each kill until the next row was done, in milliseconds. */
  readonly takenOverAfterMs: number[];
}

/**
 * Disables `rows` users while the instance that works on the job is killed with -9 repeatedly, evenly over
 * the rows. The other instance takes over, and a new one waits for the next kill.
 */
export async function killDuringBatch(
  database: TestDatabase,
  rows: number,
  kills: number,
): Promise<Survived> {
  const env = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    ...database.addresses,
    ADMIN_PASSWORD: ADMIN.password,
    MASTER_KEY,
  };
  const ids = await receivers(database, rows);
  // The last rows are locked until the last kill, so that it always hits a running job.
  const rest = ids.slice(Math.ceil((rows * (kills + 0.5)) / (kills + 1)));
  const lock = await HeldLock.take(database.url, 'SELECT 1 FROM users WHERE id = ANY ($1) FOR UPDATE', [
    rest,
  ]);
  // The instance that receives the request starts the job, because the others poll once a second. After each
  // kill the surviving one continues.
  let [working, waiting] = await Promise.all([Instance.start({ env }), Instance.start({ env })]);
  try {
    const admin = await signIn(working.url, ADMIN.email, ADMIN.password);
    const ask = async <T>(path: string, body?: object): Promise<T> => {
      const method = body ? 'POST' : 'GET';
      const answer = await send(working.url, { method, path, headers: bearer(admin), ...(body && { body }) });
      if (answer.status >= 300) throw new Error(`${path} answered ${answer.status}: ${answer.text}`);
      return answer.json as T;
    };
    const { id } = await ask<{ id: string }>('/api/users/batch', { action: 'disable', user_ids: ids });
    const takenOverAfterMs: number[] = [];
    for (let kill = 1; kill <= kills; kill++) {
      await until(
        async () => (await doneOf(database, id)) >= (rows * kill) / (kills + 1),
        300_000,
        `kill ${kill} is due`,
      );
      await working.stop('SIGKILL');
      const killedAt = performance.now();
      const before = await doneOf(database, id);
      if (kill === kills) await lock.release();
      await until(
        async () => (await doneOf(database, id)) > before,
        30_000,
        `somebody goes on after kill ${kill}`,
      );
      takenOverAfterMs.push(Math.round(performance.now() - killedAt));
      working = waiting;
      // After the last kill no instance has to wait for another one.
      if (kill < kills) waiting = await Instance.start({ env });
    }
    const read = () => ask<Survived['job'] & { finished_at: string | null }>(`/api/jobs/${id}`);
    await until(async () => (await read()).finished_at !== null, 300_000, 'the job has ended');
    const results: Record<string, number> = {};
    const page = (offset: number) =>
      ask<{ index: number; id: string; status: string }[]>(
        `/api/jobs/${id}/results?limit=100&offset=${offset}`,
      );
    for (let offset = 0; offset < rows; offset += 100) {
      for (const [n, { index, id: user, status }] of (await page(offset)).entries()) {
        const isRight = index === offset + n && user === ids[index];
        results[isRight ? status : 'wrong'] = (results[isRight ? status : 'wrong'] ?? 0) + 1;
      }
    }
    return { job: await read(), results, events: await eventsOf(database, ids), takenOverAfterMs };
  } finally {
    await lock.release();
    await Promise.all([working, waiting].map((instance) => instance.stop('SIGKILL')));
  }
}

async function doneOf(database: TestDatabase, jobId: string): Promise<number> {
  const sql = 'SELECT count(*)::integer AS done FROM job_rows WHERE job_id = $1 AND status IS NOT NULL';
  return (await database.query<{ done: number }>(sql, [jobId]))[0]?.done ?? 0;
}

async function eventsOf(database: TestDatabase, ids: readonly string[]): Promise<Survived['events']> {
  const [row] = await database.query<Survived['events']>(
    `SELECT count(*)::integer AS events, count(DISTINCT subject)::integer AS users,
            (SELECT count(*)::integer FROM audit_entries WHERE action = 'user.disable') AS entries
     FROM events WHERE subject = ANY ($1) AND type = 'user.disabled'`,
    [ids],
  );
  if (!row) throw new Error('no row');
  return row;
}
