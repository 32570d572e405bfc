import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { asUser, linesOf, OpenExport, runExport } from '../../support/builders/exports.js';
import { CSV, imported, ndjson, NDJSON } from '../../support/builders/imports.js';
import { PASSWORD, TestApp } from '../../support/app/test-app.js';
import { eventsOf } from '../../support/builders/events.js';
import { read, type UserBody } from '../../support/builders/users.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app.close());

let addresses = 0;
const signUp = (languages: string | null, body: object = {}) => {
  const request = app.request('post', '/api/users');
  if (languages !== null) void request.set('Accept-Language', languages);
  return request.send({
    email: `speaker-${++addresses}@example.com`,
    password: PASSWORD,
    name: 'Speaker',
    ...body,
  });
};

describe('the locale of a user', () => {
  it.each([
    [null, 'en'],
    ['de', 'de'],
    ['de-AT,de;q=0.9,en;q=0.5', 'de'],
    ['fr, de;q=0.3, en;q=0.2', 'de'],
    ['fr', 'en'],
  ])('is set from Accept-Language at sign-up: %s', async (languages, locale) => {
    const answer = await signUp(languages);
    expect([answer.status, answer.body]).toMatchObject([201, { locale }]);
  });

  it('is the one that the sign-up names, in its canonical spelling', async () => {
    expect((await signUp('de', { locale: 'PT-br' })).body).toMatchObject({ locale: 'pt-BR' });
  });

  it('is changed by the user, with an event and in the history', async () => {
    const user = await app.createUser();
    const before = await read(app, user.id);
    const answer = await app.as(user, 'patch', '/api/users/me').send({ locale: 'de-ch' });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ locale: 'de-CH', name: before.name, version: before.version + 1 });
    const same = await app.as(user, 'patch', '/api/users/me').send({ locale: 'de-CH' });
    expect(same.body).toEqual(answer.body);
    expect((await eventsOf(app, user.id)).at(-1)).toMatchObject({
      type: 'user.updated',
      data: { locale: 'de-CH' },
    });
    const at = (time: string) =>
      app.as(user, 'get', `/api/users/${user.id}?at=${encodeURIComponent(time)}`).expect(200);
    expect((await at(before.updated_at)).body).toMatchObject({ locale: 'en' });
    expect((await at((answer.body as UserBody).updated_at)).body).toMatchObject({ locale: 'de-CH' });
    const [entry] = (await app.as(app.admin, 'get', `/api/audit?target_id=${user.id}&action=user.update`))
      .body as object[];
    expect(entry).toMatchObject({ changes: { locale: { from: 'en', to: 'de-CH' } } });
    expect((entry as { changes: object }).changes).not.toHaveProperty('name');
  });

  it.each([null, 7, '', 'german_de', 'x'.repeat(36)])('cannot be %j', async (locale) => {
    const user = await app.createUser();
    const answer = await app.as(user, 'patch', '/api/users/me').send({ locale });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ error: { details: [{ field: 'locale' }] } });
  });

  it('is not changed by an administrator, because the user chooses it', async () => {
    const user = await app.createUser();
    const answer = await app.as(app.admin, 'patch', `/api/users/${user.id}`).send({ locale: 'de' });
    expect(answer.status).toBe(400);
  });

  it('is part of the data package and of exports, also as of a former moment', async () => {
    const user = await app.createUser(['user'], 'Exported');
    const path = '/api/export/users?format=ndjson&search=Exported';
    const running = await OpenExport.begin(asUser(app.url, app.admin, path));
    running.request.destroy();
    const cursor = String(running.response.headers['x-export-cursor']);
    await app.as(user, 'patch', '/api/users/me').send({ locale: 'de' }).expect(200);
    const { text } = await runExport(asUser(app.url, app.admin, `${path}&after=${cursor}`));
    expect(linesOf(text).rows.map((line) => JSON.parse(line) as UserBody)).toMatchObject([
      { id: user.id, locale: 'en' },
    ]);
    const csv = await app.as(
      app.admin,
      'get',
      '/api/export/users?format=csv&search=Exported&fields=email,locale',
    );
    expect(csv.text).toBe(`email,locale\r\n${user.email},de\r\n`);
    const data = await app.as(user, 'get', `/api/users/${user.id}/data`);
    expect(data.body).toMatchObject({ account: { locale: 'de' } });
  });

  it('is read by an import', async () => {
    const rows = ndjson(
      { email: 'de@locales.example', name: 'De', locale: 'DE' },
      { email: 'none@locales.example', name: 'None' },
      { email: 'wrong@locales.example', name: 'Wrong', locale: 'german_de' },
    );
    const { results } = await imported(app, NDJSON, rows);
    const csv = await imported(app, CSV, 'email,name,locale\nfr@locales.example,Fr,fr-ca\n');
    const localeOf = async (id: string | undefined) => (await read(app, id ?? '')).locale;
    expect(await localeOf(results[0]?.id)).toBe('de');
    expect(await localeOf(results[1]?.id)).toBe('en');
    expect(results[2]).toMatchObject({ status: 'failed' });
    expect(await localeOf(csv.results[0]?.id)).toBe('fr-CA');
  });

  it('is forgotten by an erasure, also in former states', async () => {
    const user = await app.createUser();
    for (const locale of ['de', 'fr'])
      await app.as(user, 'patch', '/api/users/me').send({ locale }).expect(200);
    await app.as(app.admin, 'delete', `/api/users/${user.id}`).expect(204);
    await app.as(app.admin, 'post', `/api/users/${user.id}/erase`).expect(202);
    const rows = await app.database.query<{ locale: string }>(
      'SELECT locale FROM users WHERE id = $1 UNION ALL SELECT locale FROM user_images WHERE id = $1',
      [user.id],
    );
    expect(rows.length).toBeGreaterThan(1);
    expect(new Set(rows.map(({ locale }) => locale))).toEqual(new Set(['en']));
  });
});
