import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { createUserWith, NOBODY, nextPage } from '../../support/builders/users.js';
import { createWebhook, type WebhookBody } from '../../support/builders/webhooks.js';
import { tagOf } from '../../support/http/entity-tags.js';

const URL = 'https://receiver.example/hooks';
const HOOK = { url: URL, types: ['user.created'] };

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app?.close());

const post = (body: object, by: TestUser = app.admin) => app.as(by, 'post', '/api/webhooks').send(body);
const at = (method: 'get' | 'post' | 'patch' | 'delete', id: string, path = '', by: TestUser = app.admin) =>
  app.as(by, method, `/api/webhooks/${id}${path}`);
const make = () => createWebhook(app, URL, HOOK.types);

describe('POST /api/webhooks', () => {
  it('creates a webhook, shows its secret once, and leaves an audit entry', async () => {
    const answer = await post({ ...HOOK, description: 'The billing system' });
    const made = answer.body as WebhookBody;
    expect(answer.status).toBe(201);
    expect(answer.get('Location')).toBe(`/api/webhooks/${made.id}`);
    expect(answer.get('ETag')).toBe(tagOf(made));
    expect(answer.get('Cache-Control')).toBe('no-store, no-transform');
    expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const { secret, ...shown } = made;
    expect(shown).toEqual({
      id: expect.any(String),
      ...HOOK,
      description: 'The billing system',
      status: 'active',
      paused_reason: null,
      version: 1,
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    expect((await at('get', made.id)).body).toEqual(shown);
    expect((await app.as(app.admin, 'get', '/api/webhooks')).body).toContainEqual(shown);
    const stored = await app.database.query<{ secret: Buffer }>(
      'SELECT secret_sealed AS secret FROM webhook_secrets WHERE webhook_id = $1',
      [made.id],
    );
    expect(stored).toHaveLength(1);
    expect(stored[0]!.secret.includes(Buffer.from(secret.slice(6), 'base64'))).toBe(false);
    const entries = await app.as(app.admin, 'get', `/api/audit?target_id=${made.id}`);
    expect(entries.body).toMatchObject([
      {
        action: 'webhook.create',
        actor: { id: app.admin.id },
        target: { type: 'webhook' },
        changes: { url: { from: null, to: URL }, types: { from: null, to: HOOK.types } },
      },
    ]);
    expect(JSON.stringify(entries.body)).not.toContain(secret);
  });

  it.each([
    ['url', { url: undefined }, 'url is required'],
    ['url', { url: 'http://example.com/' }, 'url must use https'],
    ['url', { url: 'https://user:pass@example.com/' }, 'url must not contain credentials'],
    ['url', { url: 'https://example.com/#part' }, 'url must not contain a fragment'],
    ['url', { url: 'https://127.0.0.1/' }, 'url must not lead to a private address'],
    ['url', { url: 'https://0x7f.1/' }, 'url must not lead to a private address'],
    ['url', { url: 'https://[::ffff:10.0.0.1]/' }, 'url must not lead to a private address'],
    ['url', { url: 'https://169.254.169.254/' }, 'url must not lead to a private address'],
    ['url', { url: `https://example.com/${'x'.repeat(2029)}` }, 'url must be 1 to 2048 characters'],
    ['url', { url: 'nothing' }, 'url must be a URL'],
    ['url', { url: ' https://example.com/' }, 'url must not contain spaces'],
    ['url', { url: 'https:/example.com' }, 'url must be written as it would be called: https://example.com/'],
    [
      'url',
      { url: 'https://exam\u00adple.com' },
      'url must be written as it would be called: https://example.com/',
    ],
    ['url', { url: 'https://@example.com/' }, 'url must not contain credentials'],
    ['url', { url: 'https://example.com:0/' }, 'url must not have the port 0'],
    ['url', { url: 'https://r..invalid' }, 'url must have a host name'],
    ['types', { types: [] }, 'types must contain'],
    ['types', { types: ['user.unknown'] }, 'each value in types must be one of'],
    ['types', { types: ['webhook.test'] }, 'each value in types must be one of'],
    ['types', { types: ['user.created', 'user.created'] }, 'types must not contain duplicates'],
    ['types', { types: 'user.created' }, 'types must be a list'],
    ['description', { description: 'x'.repeat(201) }, 'description must be at most 200 characters'],
    ['description', { description: null }, 'description must be a string'],
    ['secret', { secret: 'whsec_AAAA' }, 'secret is not a known property'],
  ])('refuses a wrong %s: %j', async (field, wrong, message) => {
    const answer = await post({ ...HOOK, ...wrong });
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field }] } });
    expect((answer.body as { error: { message: string } }).error.message).toContain(message);
  });

  it('creates one with the same Idempotency-Key, and shows its secret again', async () => {
    const send = () => post(HOOK).set('Idempotency-Key', 'hook');
    const first = await send();
    const second = await send();
    expect([second.status, second.text]).toEqual([201, first.text]);
    await at('delete', (first.body as WebhookBody).id).expect(204);
  });

  it('creates at most 100, also when many are asked for at once', async () => {
    const { body } = await app.as(app.admin, 'get', '/api/webhooks?limit=100');
    const before = (body as WebhookBody[]).length;
    const made: Response[] = [];
    while (made.length < 95 - before) made.push(await post(HOOK).expect(201));
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(HOOK)));
    made.push(...answers.filter(({ status }) => status === 201));
    expect(made).toHaveLength(100 - before);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(5);
    const ids: string[] = [];
    for (let next: string | null = '/api/webhooks?limit=7'; next !== null;) {
      const page = await app.as(app.admin, 'get', next);
      ids.push(...(page.body as WebhookBody[]).map(({ id }) => id));
      next = nextPage(page);
    }
    expect(new Set(ids).size).toBe(100);
    expect(ids).toHaveLength(100);
    for (const { body: each } of made) await at('delete', (each as WebhookBody).id).expect(204);
    await post(HOOK).expect(201);
  }, 120_000);
});

describe('webhooks:manage', () => {
  it('alone reads, pages and deletes, and needs events:read to create, change, replay, send again and test', async () => {
    const manager = await createUserWith(app, ['webhooks:manage']);
    const reader = await createUserWith(app, ['events:read']);
    const { id } = await make();
    const range = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' };
    for (const by of [manager, reader]) {
      expect((await post(HOOK, by)).status).toBe(403);
      expect((await at('patch', id, '', by).send({ types: ['user.deleted'] })).status).toBe(403);
      expect((await at('post', id, '/replay', by).send(range)).status).toBe(403);
      expect((await at('post', id, '/rotate-secret', by)).status).toBe(403);
      expect((await at('post', id, '/test', by)).status).toBe(403);
      expect((await at('post', id, `/deliveries/${NOBODY}/redeliver`, by)).status).toBe(403);
    }
    expect((await at('get', id, '', reader)).status).toBe(403);
    await at('get', id, '', manager).expect(200);
    await at('get', id, '/deliveries', manager).expect(200);
    await at('delete', id, '', manager).expect(204);
  });
});

describe('POST /api/webhooks/{id}/test', () => {
  it('takes no body, as every route without one', async () => {
    const { id } = await make();
    for (const body of [{ type: 'user.created' }, [1], '"text"']) {
      const answer = await at('post', id, '/test').type('json').send(body);
      expect(answer.body).toMatchObject({
        error: { code: 'VALIDATION_ERROR', details: [{ field: 'body' }] },
      });
    }
    expect(await app.database.query('SELECT FROM webhook_deliveries WHERE webhook_id = $1', [id])).toEqual(
      [],
    );
    await at('post', id, '/test').send({}).expect(202);
  });
});

describe('PATCH /api/webhooks/{id}', () => {
  it('keeps a URL as it is given', async () => {
    const { id } = await make();
    const url = 'https://EXAMPLE.org:443?q=é';
    expect((await at('patch', id).send({ url })).body).toMatchObject({ url });
  });

  it('changes what is given, under the version that the client knows, and records it', async () => {
    const { id, version } = await make();
    const change = { types: ['user.deleted'], description: 'A note', url: 'https://example.org/' };
    const answer = await at('patch', id).set('If-Match', tagOf({ id, version })).send(change);
    expect(answer.body).toMatchObject({ ...change, status: 'active', version: 2 });
    expect(answer.get('ETag')).toBe(tagOf({ id, version: 2 }));
    const stale = await at('patch', id).set('If-Match', tagOf({ id, version })).send(change);
    expect([stale.status, stale.get('ETag')]).toEqual([412, tagOf({ id, version: 2 })]);
    expect((await at('patch', id).send(change)).body).toMatchObject({ version: 2 });
    const paused = await at('patch', id).send({ status: 'paused', description: '' });
    expect(paused.body).toMatchObject({ status: 'paused', paused_reason: 'requested', description: null });
    const active = await at('patch', id).send({ status: 'active' });
    expect(active.body).toMatchObject({ status: 'active', paused_reason: null, version: 4 });
    const entries = await app.as(app.admin, 'get', `/api/audit?target_id=${id}&action=webhook.update`);
    expect((entries.body as object[]).length).toBe(3);
    const notModified = await at('get', id).set('If-None-Match', tagOf({ id, version: 4 }));
    expect(notModified.status).toBe(304);
  });

  it.each([
    ['url', { url: 'https://10.0.0.1/' }],
    ['types', { types: ['nothing'] }],
    ['status', { status: 'deleted' }],
    ['version', { version: 2 }],
  ])('refuses a wrong %s', async (field, wrong) => {
    const { id } = await make();
    const answer = await at('patch', id).send(wrong);
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field }] } });
  });
});

describe('another route of a webhook', () => {
  it('answers 404 for one that is not there or deleted, and 412 for another version', async () => {
    const { id } = await make();
    await at('delete', id).set('If-Match', '"1"').expect(412);
    await at('post', id, '/rotate-secret').set('If-Match', '"1"').expect(412);
    await at('post', id, `/deliveries/${NOBODY}/redeliver`).expect(404);
    await at('delete', id).expect(204);
    const range = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' };
    for (const gone of [id, NOBODY]) {
      await at('get', gone).expect(404);
      await at('patch', gone).send({ status: 'paused' }).expect(404);
      await at('delete', gone).expect(404);
      await at('post', gone, '/rotate-secret').expect(404);
      await at('get', gone, '/deliveries').expect(404);
      await at('post', gone, '/replay').send(range).expect(404);
      await at('post', gone, '/test').expect(404);
    }
    await at('get', 'no-id').expect(400);
  });

  it.each([
    ['from', { from: 'yesterday', to: '2026-01-02T00:00:00Z' }],
    ['to', { from: '2026-01-01T00:00:00Z' }],
    ['to', { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }],
  ])('refuses a replay with a wrong %s', async (field, range) => {
    const { id } = await make();
    const answer = await at('post', id, '/replay').send(range);
    expect(answer.body).toMatchObject({ error: { code: 'VALIDATION_ERROR', details: [{ field }] } });
  });

  it('pages through deliveries, and refuses the cursor of another list', async () => {
    const { id } = await make();
    await at('patch', id).send({ status: 'paused' }).expect(200);
    for (let n = 0; n < 3; n++) await at('post', id, '/test').expect(202);
    const first = await at('get', id, '/deliveries?limit=2&total=exact');
    expect([first.get('X-Total-Count'), (first.body as object[]).length]).toEqual(['3', 2]);
    const next = nextPage(first) ?? '';
    expect((await app.as(app.admin, 'get', next)).body).toHaveLength(1);
    expect((await app.as(app.admin, 'get', `${next}&status=dead`)).status).toBe(400);
    expect((await at('get', id, '/deliveries?status=lost')).status).toBe(400);
    expect((await at('get', id, '/deliveries?status=pending&total=estimate')).get('X-Total-Estimate')).toBe(
      '3',
    );
  });

  it('rotates a secret at most nine times within a day', async () => {
    const { id } = await make();
    for (let n = 0; n < 9; n++) {
      const answer = await at('post', id, '/rotate-secret').expect(200);
      expect(answer.get('Cache-Control')).toBe('no-store, no-transform');
    }
    expect((await at('post', id, '/rotate-secret')).body).toMatchObject({ error: { code: 'CONFLICT' } });
  });
});
