import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { freeze, noSignals } from '../../support/faults/backends.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { LEASE_MS, Pair } from '../../support/app/pair.js';
import { prepareRoles, revocations, tryOut } from '../../support/faults/revocations.js';
import { closeConnections } from '../../support/http/send.js';
import { sessionIdOf } from '../../support/builders/sessions.js';
import type { TestUser } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';
import { wherePossible } from '../../support/app/where-possible.js';

let addresses = 0;
const address = (): string => `revoked-${++addresses}@example.com`;

describe('revocation on two instances', () => {
  let database: TestDatabase;
  let pair: Pair;
  beforeAll(async () => {
    database = await TestDatabase.create();
    pair = await Pair.start(database);
  });
  beforeEach(() => prepareRoles(pair));
  afterAll(async () => {
    closeConnections();
    await pair.stop();
    await database.drop();
  });

  it.each(Object.entries(revocations))(
    'by %s takes effect here at once and there within a second',
    async (_, way) => {
      const user = await pair.createUser(address(), way.roles);
      const { admitted, lastAdmittedMs } = await tryOut(pair, user, way);
      expect(admitted.here).toBe(0);
      expect(lastAdmittedMs).toBeLessThanOrEqual(LEASE_MS);
    },
  );

  it('is not undone by an earlier fill on the other instance', async () => {
    const user = await pair.createUser(address(), ['user', 'auditor']);
    const sid = [sessionIdOf(user)];
    await database.query(
      `UPDATE sessions SET last_seen_at = last_seen_at - interval '1 hour' WHERE id = $1`,
      sid,
    );
    // The fill has read the old rights and waits to update the minute.
    const held = await HeldLock.take(database.url, 'SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE', sid);
    const listing = () => pair.call('there', user, { path: '/api/users?limit=1' });
    const early = listing();
    await until(async () => {
      const rows = await database.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length === 1;
    });
    await pair.setRoles(user, ['user']);
    const revokedAt = performance.now();
    await held.release();
    await early;
    const sent: { afterMs: number; status: number }[] = [];
    do {
      const afterMs = performance.now() - revokedAt;
      sent.push({ afterMs, status: (await listing()).status });
    } while ((sent.at(-1)?.afterMs ?? 0) < LEASE_MS + 200);
    expect(sent.filter(({ status, afterMs }) => status !== 403 && afterMs > LEASE_MS)).toEqual([]);
    expect(sent.at(-1)?.status).toBe(403);
  });

  describe('while the other instance cannot receive notifications', () => {
    let watched: TestUser;
    beforeAll(async () => {
      watched = await pair.createUser(address());
    });
    const trusts = () => until(() => pair.remembers('there', watched), 30_000, 'the cache is used again');
    beforeEach(trusts);

    async function expectRevocation(): Promise<void> {
      const role = await pair.createUser(address(), revocations['a role that is taken'].roles);
      const session = await pair.createUser(address());
      for (const outcome of await Promise.all([
        tryOut(pair, role, revocations['a role that is taken']),
        tryOut(pair, session, revocations.logout),
      ])) {
        expect(outcome.admitted.here).toBe(0);
        expect(outcome.lastAdmittedMs).toBeLessThanOrEqual(LEASE_MS);
      }
    }

    wherePossible(noSignals, 'a frozen listener', () =>
      it('because its listener is frozen, until it thaws', async () => {
        const pid = await pair.listenerThere();
        const thaw = freeze(pid ?? 0);
        try {
          await expectRevocation();
          expect(await pair.remembers('there', watched)).toBe(false);
        } finally {
          thaw();
        }
        await trusts();
      }),
    );

    it('because its listener was ended', async () => {
      await database.query('SELECT pg_terminate_backend($1)', [await pair.listenerThere()]);
      await expectRevocation();
      await trusts();
    });

    it('because its connection is cut, which it logs once', async () => {
      const before = pair.there.stdout.length;
      const said = (what: RegExp) => pair.there.stdout.slice(before).match(what)?.length ?? 0;
      await pair.path.cut();
      try {
        await expectRevocation();
        expect(await pair.remembers('there', watched)).toBe(false);
      } finally {
        await pair.path.restore();
      }
      await trusts();
      await until(() => said(/Notifications arrive again/g) > 0);
      expect([said(/listening connection was lost/g), said(/Notifications arrive again/g)]).toEqual([1, 1]);
    });

    it('because its connection is cut, and drops its cache when it is connected again', async () => {
      const { roles, asked } = revocations['a role that is taken'];
      const user = await pair.createUser(address(), roles);
      const ask = async () => (await pair.call('there', user, { path: asked })).status;
      expect(await ask()).toBe(200);
      await pair.path.cut();
      try {
        // No request arrives meanwhile, so only the lost connection can make it read again.
        await pair.setRoles(user, ['user']);
      } finally {
        await pair.path.restore();
      }
      await trusts();
      expect(await ask()).toBe(403);
    });

    it('because its connection is silently dead', async () => {
      pair.path.silence();
      try {
        await expectRevocation();
        expect(await pair.remembers('there', watched)).toBe(false);
      } finally {
        await pair.path.restore();
      }
      await trusts();
    });

    it('because its connection dies as soon as it listens', async () => {
      pair.path.swallow('LISTEN ');
      await database.query('SELECT pg_terminate_backend($1)', [await pair.listenerThere()]);
      await until(() => pair.path.swallowed > 0);
      await expectRevocation();
      expect(await pair.remembers('there', watched)).toBe(false);
      pair.path.swallow(null);
      // The service gives up the hanging connection on its own.
      await trusts();
    });
  });
});
