import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freeze, noSignals } from '../support/backends.js';
import { Instance } from '../support/instance.js';
import { MASTER_KEY } from '../support/secrets.js';
import { bearer, closeConnections, send } from '../support/send.js';
import { type Account, ADMIN, signIn } from '../support/test-app.js';
import { TestDatabase } from '../support/test-database.js';
import { wherePossible } from '../support/where-possible.js';

const SILENT_MS = 15_000;
const CALLERS = 20;
/** The contract: the first answer comes so soon after the database is back. */
const BACK_WITHIN_MS = 2000;
const GIVEN_UP_WITHIN_MS = 6000;

// The faults run one after the other, so the server of the run is theirs to stop.
wherePossible(noSignals, 'a database that stands still', () =>
  describe(`a database that stands still for ${SILENT_MS / 1000} s`, () => {
    let database: TestDatabase;
    let instance: Instance;
    let admin: Account;
    beforeAll(async () => {
      database = await TestDatabase.create();
      const env = { NODE_ENV: 'test', LOG_LEVEL: 'silent', ADMIN_PASSWORD: ADMIN.password, MASTER_KEY };
      instance = await Instance.start({ env: { ...env, ...database.addresses } });
      admin = await signIn(instance.url, ADMIN.email, ADMIN.password);
    });
    afterAll(async () => {
      closeConnections();
      await instance.stop();
      await database.drop();
    });

    /** The server that takes connections, and all processes of the service's own. */
    async function pids(): Promise<number[]> {
      const rows = await database.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
         UNION ALL SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::integer`,
      );
      return rows.map(({ pid }) => pid);
    }

    it('is given up by those who wait, and serves within 2 s of its return', async () => {
      const answers: { status: number; sentAt: number; at: number }[] = [];
      const over = new AbortController();
      const caller = async (): Promise<void> => {
        while (!over.signal.aborted) {
          const sentAt = performance.now();
          const { status } = await send(instance.url, { path: '/api/users/me', headers: bearer(admin) });
          answers.push({ status, sentAt, at: performance.now() });
          if (status !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
        }
      };
      const callers = Array.from({ length: CALLERS }, caller);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const thaw = (await pids()).map(freeze);
      await new Promise((resolve) => setTimeout(resolve, SILENT_MS));
      for (const go of thaw) go();
      const backAt = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 5000));
      over.abort();
      await Promise.all(callers);
      const first = answers.find(({ status, at }) => status === 200 && at > backAt)?.at ?? Infinity;
      const longest = Math.max(...answers.map(({ sentAt, at }) => at - sentAt));
      process.stdout.write(
        `first answer ${(first - backAt).toFixed(0)} ms after the return; longest wait ${longest.toFixed(0)} ms\n`,
      );
      expect(first - backAt).toBeLessThan(BACK_WITHIN_MS);
      expect(longest).toBeLessThan(GIVEN_UP_WITHIN_MS);
    }, 60_000);
  }),
);
