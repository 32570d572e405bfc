import { LEASE_MS, type Pair, type InstanceName } from '../app/pair.js';
import type { Answer } from '../http/send.js';
import { PASSWORD, type TestUser } from '../app/test-app.js';
import { sessionIdOf } from '../builders/sessions.js';
import { until } from '../app/until.js';

/**
 * A change that revokes an access, the request that the access allowed, and the status it gets afterwards.
 */
export interface Revocation {
  readonly roles: readonly string[];
  readonly asked: string;
  readonly refusal: number;
  readonly revoke: (pair: Pair, user: TestUser) => Promise<Answer>;
}

const NEW_PASSWORD = 'another horse battery';

const ends = (revoke: Revocation['revoke']): Revocation => ({
  roles: ['user'],
  // Not the caller's own record, because a deleted user's record disappears before the principal does.
  asked: '/api/roles?limit=1',
  refusal: 401,
  revoke,
});
const demotes = (roles: readonly string[], revoke: Revocation['revoke']): Revocation => ({
  roles,
  asked: '/api/users?limit=1',
  refusal: 403,
  revoke,
});

export const revocations = {
  logout: ends((pair, user) => pair.call('here', user, { method: 'POST', path: '/api/auth/logout' })),
  'the end of one session': ends((pair, user) =>
    pair.call('here', user, { method: 'DELETE', path: `/api/auth/sessions/${sessionIdOf(user)}` }),
  ),
  'the end of all sessions by an administrator': ends((pair, user) =>
    pair.order({ method: 'DELETE', path: `/api/users/${user.id}/sessions` }),
  ),
  'the end of all other sessions': ends(async (pair, user) => {
    const other = await pair.signIn(user.email);
    return pair.call('here', other, { method: 'DELETE', path: '/api/auth/sessions' });
  }),
  disabling: ends((pair, user) =>
    pair.order({ method: 'PATCH', path: `/api/users/${user.id}`, body: { status: 'disabled' } }),
  ),
  deletion: ends((pair, user) => pair.order({ method: 'DELETE', path: `/api/users/${user.id}` })),
  'deletion by oneself': ends((pair, user) =>
    pair.call('here', user, { method: 'DELETE', path: `/api/users/${user.id}` }),
  ),
  'a new password': ends((pair, user) =>
    pair.call('here', user, {
      method: 'PUT',
      path: '/api/auth/password',
      body: { current_password: PASSWORD, new_password: NEW_PASSWORD },
    }),
  ),
  'a role that is taken': demotes(['user', 'auditor'], (pair, user) => pair.setRoles(user, ['user'])),
  'a role that permits less': demotes(['user', 'reader'], (pair) =>
    pair.order({ method: 'PUT', path: '/api/roles/reader', body: { permissions: [] } }),
  ),
} as const satisfies Record<string, Revocation>;

/** Sets up the test's own roles as they are before a revocation. */
export const prepareRoles = (pair: Pair): Promise<Answer> =>
  pair.order({ method: 'PUT', path: '/api/roles/reader', body: { permissions: ['users:read'] } });

export interface Outcome {
  /**
   * The number of requests sent after the 2xx that were still admitted, per instance; on the first instance
   * it must be 0.
   */
  readonly admitted: Readonly<Record<InstanceName, number>>;
  /** The time from the 2xx until the last admitted request to the other instance was sent. */
  readonly lastAdmittedMs: number;
  /** The time from the 2xx until the first refusal came back. */
  readonly refusedAfterMs: number;
}

/**
 * Revokes while both instances are under constant load, so that cache fills are in progress, and continues
 * until both refuse. Times are taken when requests are sent, because the bound belongs to the lease, not to
 * the machine.
 */
export async function tryOut(
  pair: Pair,
  user: TestUser,
  { asked, refusal, revoke }: Revocation,
  callers = 2,
): Promise<Outcome> {
  let revokedAt = Number.POSITIVE_INFINITY;
  let lastAdmittedMs = 0;
  let refusedAfterMs = 0;
  const admitted = { here: 0, there: 0 };
  const seen = { here: 0, there: 0 };
  const ask = async (where: InstanceName): Promise<void> => {
    for (;;) {
      const sentAt = performance.now();
      const { status } = await pair.call(where, user, { path: asked });
      seen[where]++;
      const sentAfterMs = sentAt - revokedAt;
      if (status === refusal) {
        if (sentAfterMs < 0) continue;
        if (where === 'there') refusedAfterMs = Math.max(refusedAfterMs, performance.now() - revokedAt);
        return;
      }
      if (status !== 200) throw new Error(`asking answered ${status}`);
      if (sentAfterMs < 0) continue;
      admitted[where]++;
      if (where === 'there') lastAdmittedMs = Math.max(lastAdmittedMs, sentAfterMs);
      if (sentAfterMs > 20 * LEASE_MS) throw new Error(`still let in ${where} after ${sentAfterMs} ms`);
    }
  };
  const asking = (['here', 'there'] as const).flatMap((where) =>
    Array.from({ length: callers }, () => ask(where)),
  );
  const revoking = (async () => {
    await until(() => seen.here >= callers && seen.there >= callers, 20_000, 'both have answered');
    const { status, text } = await revoke(pair, user);
    if (status >= 300) throw new Error(`revoking answered ${status}: ${text}`);
    revokedAt = performance.now();
  })();
  await Promise.all([revoking, ...asking]);
  return { admitted, lastAdmittedMs, refusedAfterMs };
}
