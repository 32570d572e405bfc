import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Instance } from '../../support/app/instance.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { ADMIN } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { wherePossible } from '../../support/app/where-possible.js';

const WARNING = /"level":"warn".*no file descriptor left/g;
const LIMIT = 150;

const noLimits = ((): string | null => {
  try {
    execFileSync('prlimit', ['--version'], { stdio: 'ignore' });
    return null;
  } catch (error) {
    return `prlimit cannot be run: ${String(error)}`;
  }
})();

wherePossible(noLimits, 'prlimit', () =>
  describe('an instance without a file descriptor left', () => {
    let database: TestDatabase;
    let instance: Instance;
    beforeAll(async () => {
      database = await TestDatabase.create();
      const env = { ...database.addresses, MASTER_KEY, ADMIN_PASSWORD: ADMIN.password, LOG_LEVEL: 'info' };
      instance = await Instance.start({ env });
      execFileSync('prlimit', ['--pid', String(instance.process.pid), `--nofile=${LIMIT}:`]);
    });
    afterAll(async () => {
      await instance?.stop();
      await database?.drop();
    });

    /**
     * Takes all descriptors, so that further connections are closed, until the returned function is called.
     */
    async function exhaust(): Promise<() => void> {
      const { port } = new URL(instance.url);
      let closed = 0;
      const sockets = Array.from({ length: LIMIT }, (): Socket => connect(Number(port), '127.0.0.1'));
      for (const socket of sockets) socket.on('error', () => {}).on('close', () => closed++);
      await instance.until(() => closed > 0);
      return () => sockets.forEach((socket) => socket.destroy());
    }

    it('warns once, however often it happens within a minute, and keeps serving', async () => {
      const release = await exhaust();
      await instance.until(() => WARNING.test(instance.stdout));
      release();
      const serves = () =>
        fetch(`${instance.url}/health/live`)
          .then(({ ok }) => ok)
          .catch(() => false);
      await instance.until(serves);
      const releaseAgain = await exhaust();
      // The watch checks every second.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      releaseAgain();
      await instance.until(serves);
      expect(instance.stdout.match(WARNING)).toHaveLength(1);
    });
  }),
);
