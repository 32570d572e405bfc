import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addRows } from '../support/builders/export-rows.js';
import { linesOf, runExport } from '../support/builders/exports.js';
import { logIn, refreshed, statusOf } from '../support/builders/sessions.js';
import type { UserBody } from '../support/builders/users.js';
import { Instance } from '../support/app/instance.js';
import {
  BUILD_TIMEOUT_MS,
  buildPreviousRelease,
  findWhyReleaseIsMissing,
} from '../support/app/previous-release.js';
import { MASTER_KEY } from '../support/app/secrets.js';
import { ADMIN, PASSWORD } from '../support/app/test-app.js';
import { until } from '../support/app/until.js';
import { wherePossible } from '../support/app/where-possible.js';
import { TestDatabase } from '../support/database/test-database.js';
import { patiently } from '../support/http/patiently.js';
import { type Answer, bearer, send, type Sent } from '../support/http/send.js';

type Release = 'previous' | 'this';
/** Enough that a page and a part of an export leave some for the other release. */
const ROWS = 300;
/** Several times the interval between seals. */
const SEAL_TIMEOUT_MS = 40_000;
/** The only fault in the log of the previous release, because only this one can seal its entries: docs/operations/upgrades.md. */
const EXPECTED_FAULT = 'the audit log could not be sealed';

wherePossible(findWhyReleaseIsMissing(), 'the previous release beside this one', () => {
  let database: TestDatabase;
  let instances: Record<Release, Instance>;
  let admin: { readonly token: string };
  let traffic: { stop: () => Promise<number> };

  beforeAll(async () => {
    const entry = buildPreviousRelease();
    database = await TestDatabase.create();
    const env = { ...database.addresses, ADMIN_PASSWORD: ADMIN.password, MASTER_KEY, LOG_LEVEL: 'info' };
    const [before, now] = await Instance.startTwo({ env, entry }, { env });
    instances = { previous: before, this: now };
    admin = { token: (await logIn(now.url, ADMIN.email, ADMIN.password)).access_token };
    await addRows(database, ROWS);
    traffic = await keepBusy();
  }, BUILD_TIMEOUT_MS + 60_000);
  afterAll(async () => {
    await Promise.all(Object.values(instances ?? {}).map((instance) => instance.stop()));
    await database?.drop();
  });

  const on = (release: Release): string => instances[release].url;
  const ask = async (release: Release, { headers, ...sent }: Sent, caller = admin): Promise<Answer> =>
    patiently(async () => {
      const answer = await send(on(release), { ...sent, headers: { ...bearer(caller), ...headers } });
      return Object.assign(answer, { body: answer.json });
    });
  const get = async (release: Release, path: string, caller = admin): Promise<Answer> => {
    const answer = await ask(release, { path }, caller);
    if (answer.status !== 200) throw new Error(`${path} on ${release}: ${answer.status} ${answer.text}`);
    return answer;
  };

  async function signUp(release: Release): Promise<UserBody> {
    const body = { email: `${randomUUID()}@example.com`, name: 'Somebody', password: PASSWORD };
    const answer = await ask(release, { method: 'POST', path: '/api/users', body });
    if (answer.status !== 201) throw new Error(`sign-up on ${release}: ${answer.status} ${answer.text}`);
    return answer.json as UserBody;
  }

  /** Reads, writes and refreshes through both releases in turn, as clients behind a balancer do, until it is stopped. */
  async function keepBusy(): Promise<{ stop: () => Promise<number> }> {
    const { email } = await signUp('this');
    let pair = await logIn(on('this'), email);
    const stop = new AbortController();
    const loop = async () => {
      let rounds = 0;
      for (; !stop.signal.aborted; rounds++) {
        const release = rounds % 2 === 0 ? 'previous' : 'this';
        pair = await refreshed(on(release), pair.refresh_token);
        const caller = { token: pair.access_token };
        const tag = String((await get(release, '/api/users/me', caller)).headers.etag);
        const change = { method: 'PATCH', path: '/api/users/me', body: { name: `Round ${rounds}` } };
        const { status } = await ask(release, { ...change, headers: { 'If-Match': tag } }, caller);
        if (status !== 200) throw new Error(`a change on ${release} answered ${status}`);
      }
      return rounds;
    };
    const running = loop();
    running.catch(() => {});
    return {
      stop: () => {
        stop.abort();
        return running;
      },
    };
  }

  const walk = async (path: string, first: Release): Promise<string[]> => {
    const ids: string[] = [];
    let release = first;
    for (let next: string | undefined = path; next !== undefined;) {
      const { json, headers } = await get(release, next);
      ids.push(...(json as UserBody[]).map(({ id }) => id));
      next = /<(\/[^>]+)>; rel="next"/.exec(String(headers['link'] ?? ''))?.[1];
      release = other(release);
    }
    return ids;
  };
  const other = (release: Release): Release => (release === 'this' ? 'previous' : 'this');

  describe.each<[string, Release]>([
    ['the previous release', 'previous'],
    ['this release', 'this'],
  ])('after a request to %s', (_, here) => {
    const there = other(here);

    it('signs a new user in at the other, and accepts the token at both', async () => {
      const user = await signUp(here);
      const { access_token: token } = await logIn(on(there), user.email);
      expect([await statusOf(on(here), token), await statusOf(on(there), token)]).toEqual([200, 200]);
      const [one, two] = [
        await get(here, '/api/users/me', { token }),
        await get(there, '/api/users/me', { token }),
      ];
      expect(one.headers.etag).toBe(two.headers.etag);
      expect(two.json).toMatchObject(shared(one.json));
    });

    it('refreshes at the other and back again', async () => {
      const { email } = await signUp(here);
      let pair = await logIn(on(here), email);
      for (const release of [there, here, there]) pair = await refreshed(on(release), pair.refresh_token);
      expect(await statusOf(on(here), pair.access_token)).toBe(200);
    });

    it('changes a user with the other’s entity tag, and refuses an outdated one', async () => {
      const { id } = await signUp(here);
      const change = (release: Release, tag: string, name: string) =>
        ask(release, {
          method: 'PATCH',
          path: `/api/users/${id}`,
          body: { name },
          headers: { 'If-Match': tag },
        });
      const tag = String((await get(here, `/api/users/${id}`)).headers.etag);
      const changed = await change(there, tag, 'Ada');
      expect(changed).toMatchObject({ status: 200, json: { name: 'Ada' } });
      expect((await change(here, tag, 'Eve')).status).toBe(412);
      expect((await change(here, String(changed.headers.etag), 'Eve')).status).toBe(200);
    });

    it('ends the sessions of a user that the other disables', async () => {
      const { id, email } = await signUp(here);
      const { access_token: token } = await logIn(on(here), email);
      expect(await statusOf(on(here), token)).toBe(200);
      const body = { action: 'disable', user_ids: [id] };
      const { status, text } = await ask(there, { method: 'POST', path: '/api/users/batch', body });
      expect({ status, text }).toMatchObject({ status: 202 });
      await until(async () => (await statusOf(on(here), token)) === 401);
    });

    it('returns the other’s answer to a repeated request with an idempotency key', async () => {
      const body = { email: `${randomUUID()}@example.com`, name: 'Once', password: PASSWORD };
      const sent = { method: 'POST', path: '/api/users', body, headers: { 'Idempotency-Key': randomUUID() } };
      const [first, second] = [await ask(here, sent), await ask(there, sent)];
      expect([first.status, second.status]).toEqual([201, 201]);
      expect(second.text).toBe(first.text);
    });

    it('continues a list at the other', async () => {
      for (const query of ['sort=created_at', 'sort=-email', 'search=row', 'status=active&sort=name']) {
        const path = `/api/users?limit=100&${query}`;
        const whole = await walk(path, here);
        expect(whole.length).toBeGreaterThanOrEqual(ROWS);
        expect(new Set(whole).size).toBe(whole.length);
      }
    });

    it('resumes an export at the other', async () => {
      // Without `fields` the releases would send different columns, and refuse each other's cursors.
      const path = '/api/export/users?format=ndjson&search=row&fields=id,email,name';
      const whole = await runExport({ url: on(here), user: admin, path });
      const { rows, complete } = linesOf(whole.text);
      expect([rows.length, complete?.count]).toEqual([ROWS, ROWS]);
      const rest = `${path}&after=${String(whole.headers['x-export-cursor'])}&received=100`;
      const resumed = linesOf((await runExport({ url: on(there), user: admin, path: rest })).text);
      expect(resumed.complete?.count).toBe(ROWS);
      expect(resumed.rows).toEqual(rows.slice(100));
    });

    it('reads the same events at both', async () => {
      const { id } = await signUp(here);
      const idsOf = async (release: Release) => {
        const { json } = await get(release, `/api/users/${id}/events`);
        return (json as { id: string }[]).map((event) => event.id);
      };
      await until(async () => (await idsOf(here)).length > 0);
      expect(await idsOf(there)).toEqual(await idsOf(here));
    });
  });

  it('verifies the audit log with this release, and every entry of both', async () => {
    const verify = async () =>
      (await ask('this', { method: 'POST', path: '/api/audit/verify', body: {} })).json;
    await until(async () => ((await verify()) as { seals: number }).seals > 0, SEAL_TIMEOUT_MS);
    expect(await verify()).toMatchObject({ valid: true });
  });

  it('has served all the while, without a fault in either log', async () => {
    expect(await traffic.stop()).toBeGreaterThan(0);
    for (const release of ['previous', 'this'] as const) {
      const lines = instances[release].stdout.split('\n').filter((line) => line.startsWith('{'));
      const entries = lines.map(
        (line) => JSON.parse(line) as { level: string; msg: string; status?: number },
      );
      expect(entries.filter(({ msg }) => msg === 'request').length).toBeGreaterThan(20);
      // A busy machine may refuse a request as overload, which `patiently` repeats.
      expect(entries.filter(({ status = 0 }) => status >= 500 && status !== 503)).toEqual([]);
      const faults = entries.filter(
        ({ level, msg }) =>
          ['error', 'fatal'].includes(level) && !(release === 'previous' && msg === EXPECTED_FAULT),
      );
      expect({ release, faults }).toEqual({ release, faults: [] });
    }
  });

  it('goes on with the previous release after a rollback', async () => {
    expect(await instances.this.stop()).toBe(0);
    const { email } = await signUp('previous');
    const { access_token: token } = await logIn(on('previous'), email);
    expect(await statusOf(on('previous'), token)).toBe(200);
  });
});

/** Leaves out what only one of the releases shows. */
function shared(user: unknown): object {
  const { id, email, name, status, roles, version } = user as UserBody;
  return { id, email, name, status, roles, version };
}
