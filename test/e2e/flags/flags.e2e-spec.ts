import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { OpenFeature } from '@openfeature/server-sdk';
import { newId } from '../../../src/common/ids.js';
import { FeatureFlags } from '../../../src/platform/feature-flags/feature-flags.service.js';
import { FlagSnapshots } from '../../../src/platform/feature-flags/flag.snapshots.js';
import { NotificationsService } from '../../../src/platform/database/listen/notifications.service.js';
import { exportFlag } from '../../../src/modules/export/export.flags.js';
import { stopBackgroundWork } from '../../support/app/background-work.js';
import { settled } from '../../support/app/settled.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { OpenExport } from '../../support/builders/exports.js';
import { createUserWith, NOBODY } from '../../support/builders/users.js';
import { statementsOf } from '../../support/database/statements.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { TcpProxy } from '../../support/faults/tcp-proxy.js';

const KEYS = ['breached_passwords', 'export', 'import', 'signup', 'webhooks'];

interface FlagBody {
  readonly key: string;
  readonly value: boolean;
  readonly reason: string;
}

describe('feature flags', () => {
  let database: TestDatabase;
  /** Stands between the service and the connection on which it listens. */
  let path: TcpProxy;
  let app: TestApp;
  let manager: TestUser;
  let user: TestUser;
  beforeAll(async () => {
    database = await TestDatabase.create();
    path = await TcpProxy.before(database.serviceUrl);
    const config = { LISTEN_DATABASE_URL: path.through(database.serviceUrl) };
    app = await TestApp.create({ database, config });
    await stopBackgroundWork(app);
    manager = await createUserWith(app, ['flags:manage']);
    user = await app.createUser();
  });
  afterAll(async () => {
    await app?.close();
    await path?.cut();
    await database?.drop();
  });
  afterEach(async () => {
    for (const key of KEYS) await set(key, { enabled: true });
  });

  const put = (key: string, body: unknown, caller = manager) =>
    app.as(caller, 'put', `/api/flags/${key}`).send(body as object);
  const set = async (key: string, body: object): Promise<string> =>
    (await put(key, body).expect(200)).get('ETag') ?? '';
  const list = async (caller: TestUser) =>
    (await app.as(caller, 'get', '/api/flags').expect(200)).body as FlagBody[];
  const valueFor = async (caller: TestUser, key: string) =>
    (await list(caller)).find((flag) => flag.key === key);

  describe('GET /api/flags', () => {
    it('lists the values that hold for the caller, without a statement', async () => {
      const flags = await list(user);
      expect(flags.map(({ key }) => key)).toEqual(KEYS);
      for (const flag of flags) expect(flag).toMatchObject({ value: true, reason: 'STATIC' });
      await set('export', { enabled: true, rollout_percent: 0, allow_user_ids: [user.id] });
      expect(await valueFor(user, 'export')).toMatchObject({ value: true, reason: 'TARGETING_MATCH' });
      expect(await valueFor(manager, 'export')).toMatchObject({ value: false, reason: 'STATIC' });
      await set('export', { enabled: false, allow_user_ids: [user.id] });
      expect(await valueFor(user, 'export')).toMatchObject({ value: false, reason: 'DISABLED' });
      const costs = [];
      // The caller may be looked up meanwhile, once a minute.
      for (let i = 0; i < 3; i++) costs.push(await statementsOf(() => list(user)));
      expect(Math.min(...costs)).toBe(0);
    });

    it('pages like every list', async () => {
      const first = await app.as(user, 'get', '/api/flags?limit=2&total=exact').expect(200);
      expect(first.get('X-Total-Count')).toBe(String(KEYS.length));
      const next = /^<(\/[^>]+)>; rel="next"$/.exec(first.get('Link') ?? '')?.[1] ?? '';
      const second = await app.as(user, 'get', next).expect(200);
      expect([...(first.body as FlagBody[]), ...(second.body as FlagBody[])].map(({ key }) => key)).toEqual(
        KEYS.slice(0, 4),
      );
      for (const query of ['limit=0', 'cursor=x', 'search=a'])
        await app.as(user, 'get', `/api/flags?${query}`).expect(400);
    });
  });

  describe('PUT /api/flags/{key}', () => {
    it('replaces the setting, and what is left out gets its default', async () => {
      const ids = [newId(), newId()];
      const full = { enabled: true, rollout_percent: 25, allow_user_ids: ids };
      const answer = await put('webhooks', full).expect(200);
      expect(answer.body).toMatchObject({ key: 'webhooks', ...full });
      const { version } = answer.body as { version: number };
      expect(answer.get('ETag')).toBe(`"webhooks.${version}"`);
      const read = await app.as(manager, 'get', '/api/flags/webhooks').expect(200);
      expect([read.get('ETag'), read.body]).toEqual([answer.get('ETag'), answer.body]);
      const less = await put('webhooks', { enabled: false }).expect(200);
      expect(less.body).toMatchObject({ enabled: false, rollout_percent: 100, allow_user_ids: [] });
      expect(less.body).toMatchObject({ version: version + 1 });
    });

    it('keeps the version when nothing changes', async () => {
      const tag = await set('import', { enabled: false });
      expect(await set('import', { enabled: false, rollout_percent: 100 })).toBe(tag);
    });

    it('ignores what a read returns beside the setting, and refuses the key of another flag', async () => {
      const shown = { description: null, version: 'any' };
      const answer = await put('import', { ...shown, key: 'import', enabled: false }).expect(200);
      expect(answer.body).toMatchObject({ key: 'import', enabled: false });
      expect(answer.body).not.toMatchObject(shown);
      const wrong = await put('import', { key: 'export', enabled: true }).expect(400);
      expect(wrong.body).toMatchObject({ error: { message: 'key must be the one in the path' } });
    });

    it('evaluates preconditions', async () => {
      const tag = await set('import', { enabled: false });
      const stale = await put('import', { enabled: true }).set('If-Match', '"import.1"');
      expect([stale.status, stale.get('ETag'), stale.body]).toMatchObject([
        412,
        tag,
        { error: { code: 'PRECONDITION_FAILED' } },
      ]);
      await app.as(manager, 'get', '/api/flags/import').set('If-None-Match', tag).expect(304);
      await put('import', { enabled: true }).set('If-Match', tag).expect(200);
    });

    it('lets one of two changes with the same ETag win', async () => {
      const tag = await set('import', { enabled: false });
      const race = [10, 20, 30, 40].map((rollout_percent) =>
        put('import', { enabled: true, rollout_percent }).set('If-Match', tag),
      );
      const statuses = (await Promise.all(race)).map(({ status }) => status);
      expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 412, 412, 412]);
    });

    it.each([
      {},
      { enabled: 'true' },
      { enabled: null },
      { enabled: true, rollout_percent: 101 },
      { enabled: true, rollout_percent: -1 },
      { enabled: true, rollout_percent: 1.5 },
      { enabled: true, rollout_percent: null },
      { enabled: true, allow_user_ids: 'all' },
      { enabled: true, allow_user_ids: ['no id'] },
      { enabled: true, allow_user_ids: [NOBODY, NOBODY.toUpperCase()] },
      { enabled: true, allow_user_ids: Array.from({ length: 1001 }, newId) },
      { enabled: true, unknown: 1 },
    ])('refuses bad input (case %#)', async (body) => {
      const answer = await put('signup', body);
      expect([answer.status, answer.body]).toMatchObject([400, { error: { code: 'VALIDATION_ERROR' } }]);
    });

    it.each(['5', 101, -1, 1.5, null, true])(
      'says that a percentage of %j must be a whole number',
      async (sent) => {
        const answer = await put('signup', { enabled: true, rollout_percent: sent }).expect(400);
        expect(answer.body).toMatchObject({
          error: { message: 'rollout_percent must be a whole number from 0 to 100' },
        });
      },
    );

    it('takes a thousand users', async () => {
      const allow_user_ids = Array.from({ length: 1000 }, newId);
      await set('signup', { enabled: true, rollout_percent: 0, allow_user_ids });
    });

    it('answers 404 for a key that nobody declares, and 403 without flags:manage', async () => {
      for (const key of ['unknown', 'SIGNUP', '__proto__', 'a'.repeat(300)]) {
        expect((await put(key, { enabled: true })).status).toBe(404);
        expect((await app.as(manager, 'get', `/api/flags/${key}`)).status).toBe(404);
      }
      expect((await put('signup', { enabled: false }, user)).status).toBe(403);
      expect((await app.as(user, 'get', '/api/flags/signup')).status).toBe(403);
      expect((await put('unknown', { enabled: false }, user)).status).toBe(403);
    });

    it('loses an erased user in the transaction of the erasure, with its event and audit entry', async () => {
      const [person, other] = [await app.createUser(), newId()];
      const listing = { enabled: true, rollout_percent: 0, allow_user_ids: [person.id, other] };
      await set('export', listing);
      await set('import', listing);
      await set('webhooks', { enabled: true, allow_user_ids: [other] });
      const before = await app.as(manager, 'get', '/api/flags/webhooks').expect(200);
      await app.as(app.admin, 'delete', `/api/users/${person.id}`).expect(204);
      await app.as(app.admin, 'post', `/api/users/${person.id}/erase`).expect(202);
      for (const key of ['export', 'import']) {
        const { body } = await app.as(manager, 'get', `/api/flags/${key}`).expect(200);
        expect(body).toMatchObject({ enabled: true, rollout_percent: 0, allow_user_ids: [other] });
      }
      expect((await app.as(manager, 'get', '/api/flags/webhooks')).body).toEqual(before.body);
      const entries = (await app.as(app.admin, 'get', '/api/audit?action=flag.set,user.erase&limit=3'))
        .body as { action: string; actor: object; target: { id: string }; changes: object }[];
      expect(entries.map(({ target }) => target.id).toSorted()).toEqual(
        ['export', 'import', person.id].toSorted(),
      );
      for (const { action, actor, changes } of entries) {
        expect(actor).toMatchObject({ id: app.admin.id });
        if (action !== 'flag.set') continue;
        const allow_user_ids = { from: [person.id, other].toSorted(), to: [other] };
        expect(changes).toEqual({ allow_user_ids });
      }
      await settled(database);
      const feed = await app.as(app.admin, 'get', '/api/events?type=flag.changed,user.erased&limit=100');
      const last = (feed.body as { type: string; subject: string; data: object | null }[]).slice(-3);
      expect(last.map(({ subject }) => subject).toSorted()).toEqual(
        ['flag/export', 'flag/import', person.id].toSorted(),
      );
      for (const { type, data } of last)
        if (type === 'flag.changed') expect(data).toMatchObject({ allow_user_ids: [other] });
    });

    it('is audited with old and new values, and emits flag.changed', async () => {
      await set('webhooks', { enabled: true, rollout_percent: 40, allow_user_ids: [user.id] });
      const entries = (await app.as(app.admin, 'get', '/api/audit?action=flag.set')).body as object[];
      expect(entries[0]).toMatchObject({
        actor: { id: manager.id },
        target: { type: 'flag', id: 'webhooks' },
        outcome: 'success',
        changes: { rollout_percent: { from: 100, to: 40 }, allow_user_ids: { from: [], to: [user.id] } },
      });
      await settled(database);
      const feed = await app.as(app.admin, 'get', '/api/events?type=flag.changed&limit=100').expect(200);
      expect((feed.body as object[]).at(-1)).toMatchObject({
        type: 'flag.changed',
        subject: 'flag/webhooks',
        data: { key: 'webhooks', enabled: true, rollout_percent: 40, allow_user_ids: [user.id] },
      });
    });
  });

  describe('while the flag is off', () => {
    const refusal = (flag: string, message: string) => ({
      error: { code: 'FORBIDDEN', message, details: [{ field: 'flag', message: `The flag ${flag} is off` }] },
    });
    let people = 0;
    const person = () => ({ email: `flagged-${++people}@example.com`, name: 'Ada', password: PASSWORD });

    it('signup, strangers are refused before their input is read, and administrators create users', async () => {
      await set('signup', { enabled: false });
      const off = refusal('signup', 'Sign-up is switched off');
      for (const body of [person(), { wrong: true }]) {
        const answer = await app.request('post', '/api/users').send(body);
        expect([answer.status, answer.body]).toMatchObject([403, off]);
      }
      expect((await app.as(user, 'post', '/api/users').send(person())).status).toBe(403);
      await app.as(app.admin, 'post', '/api/users').send(person()).expect(201);
      await app.as(app.admin, 'post', '/api/users').send({ email: person().email, name: 'Ada' }).expect(201);
      const denials = (await app.as(app.admin, 'get', '/api/audit?action=permission.check')).body as {
        target: { id: string };
      }[];
      expect(denials.filter(({ target }) => target.id === 'POST /api/users')).toEqual([]);
      await set('signup', { enabled: true, rollout_percent: 99 });
      expect((await app.request('post', '/api/users').send(person())).status).toBe(403);
      await set('signup', { enabled: true });
      await app.request('post', '/api/users').send(person()).expect(201);
    });

    it('export, no export begins, and one that has begun is resumed', async () => {
      const format = { Accept: 'application/x-ndjson' };
      const running = await OpenExport.begin({ url: app.url, user: app.admin, headers: format });
      const cursor = String(running.response.headers['x-export-cursor']);
      await set('export', { enabled: false });
      expect((await running.read()).complete).toBe(true);
      for (const kind of ['users', 'audit']) {
        const answer = await app.as(app.admin, 'get', `/api/export/${kind}`);
        expect([answer.status, answer.body]).toMatchObject([
          403,
          refusal('export', 'Exports are switched off'),
        ]);
      }
      const byHeader = { ...format, 'Last-Event-ID': cursor };
      const resumed = await OpenExport.begin({ url: app.url, user: app.admin, headers: byHeader });
      expect([resumed.response.statusCode, (await resumed.read()).complete]).toEqual([200, true]);
      await app.as(app.admin, 'get', `/api/export/users?format=csv&after=${cursor}`).expect(200);
      await app.as(app.admin, 'get', '/api/export/users?format=csv&after=forged').expect(400);
      await set('export', { enabled: true, rollout_percent: 0, allow_user_ids: [app.admin.id] });
      await app.as(app.admin, 'get', '/api/export/users?format=csv').expect(200);
    });

    it('import, no import begins', async () => {
      await set('import', { enabled: false });
      const upload = () =>
        app
          .as(app.admin, 'post', '/api/users/import')
          .set('Content-Type', 'application/x-ndjson')
          .send(`{"email":"${person().email}"}\n`);
      const answer = await upload();
      expect([answer.status, answer.body]).toMatchObject([
        403,
        refusal('import', 'Imports are switched off'),
      ]);
      await set('import', { enabled: true });
      await upload().expect(202);
    });
  });

  it('are served to OpenFeature, where each service of a process has its own', async () => {
    const flags = app.nest.get(FeatureFlags);
    await set('export', { enabled: true, rollout_percent: 0, allow_user_ids: [user.id] });
    expect(await flags.isOn(exportFlag, user.id)).toBe(true);
    expect(await flags.isOn(exportFlag, null)).toBe(false);
    expect(flags.isDisabled(exportFlag)).toBe(false);
    const client = OpenFeature.getClient(flags.domain);
    const context = { targetingKey: user.id };
    expect(await client.getBooleanDetails('export', false, context)).toMatchObject({
      value: true,
      reason: 'TARGETING_MATCH',
      variant: 'on',
    });
    expect(await client.getBooleanDetails('unknown', true, context)).toMatchObject({
      value: true,
      errorCode: 'FLAG_NOT_FOUND',
    });
    expect(await client.getStringDetails('export', 'x', context)).toMatchObject({
      value: 'x',
      errorCode: 'TYPE_MISMATCH',
    });
    await set('export', { enabled: false });
    expect(flags.isDisabled(exportFlag)).toBe(true);
  });

  it('are read again while the listener is deaf, and when it hears again', async () => {
    const snapshots = app.nest.get(FlagSnapshots);
    const { lease } = app.nest.get(NotificationsService);
    const change = (enabled: boolean) =>
      database.query(`UPDATE feature_flags SET enabled = $1, version = version + 1 WHERE key = 'import'`, [
        enabled,
      ]);
    await set('import', { enabled: false });
    await change(true);
    await snapshots.rereadIfDeaf();
    // Nobody announced the change, and an instance that hears does not ask.
    expect(await valueFor(user, 'import')).toMatchObject({ value: false });
    path.silence();
    await until(() => !lease.isValid);
    await snapshots.rereadIfDeaf();
    expect(await valueFor(user, 'import')).toMatchObject({ value: true });
    await change(false);
    await path.restore();
    await until(() => lease.isValid);
    await until(async () => (await valueFor(user, 'import'))?.value === false);
  });
});
