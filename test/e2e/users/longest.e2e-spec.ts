import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';

/**
 * Random characters of four UTF-8 bytes each, so that nothing compresses, because index entries are bounded.
 */
const ideographs = (length: number): string =>
  Array.from({ length }, () => String.fromCodePoint(randomInt(0x20000, 0x2a6d0))).join('');
const letters = (length: number): string =>
  Array.from({ length }, () => String.fromCharCode(randomInt(97, 123))).join('');

describe('a user whose every field has the maximum length', () => {
  let app: TestApp;
  let user: TestUser;
  let name: string;
  const longRoles = Array.from({ length: 16 }, () => letters(50));
  beforeAll(async () => {
    app = await TestApp.create();
    const email = `${letters(64)}@${ideographs(8)}.${ideographs(8)}.${ideographs(8)}.${ideographs(8)}.example`;
    name = ideographs(100);
    const answer = await app.request('post', '/api/users').send({ email, name, password: PASSWORD });
    expect(answer.status).toBe(201);
    user = { id: (answer.body as { id: string }).id, email, token: '' };
  });
  afterAll(() => app.close());

  it('can have the maximum number of roles with the longest names', async () => {
    for (const role of longRoles) {
      await app.as(app.admin, 'put', `/api/roles/${role}`).send({ permissions: [] }).expect(200);
    }
    const answer = await app
      .as(app.admin, 'put', `/api/users/${user.id}/roles`)
      .set('If-Match', '*')
      .send({ roles: longRoles });
    expect(answer.status).toBe(200);
  });

  it.each([
    ['grow most in the compatible form', () => '\ufdfa'],
    ['become words in the compatible form', (i: number) => String.fromCodePoint(0x3300 + i)],
    ['have four bytes and another compatible form', () => String.fromCodePoint(randomInt(0x2f800, 0x2fa1d))],
  ])('can have a name and an address whose letters %s', async (_, letter) => {
    const wide = (length: number) =>
      Array.from({ length }, () => String.fromCodePoint(randomInt(0x1d41a, 0x1d434))).join('');
    const email = `${wide(16)}@${wide(60)}.${wide(60)}.${wide(50)}.example`;
    const longest = Array.from(Array(100).keys(), letter).join('');
    const body = { email, name: longest, password: PASSWORD };
    const answer = await app.request('post', '/api/users').send(body);
    expect([answer.status, answer.text]).toEqual([201, expect.anything()]);
    const { id } = answer.body as TestUser;
    const change = app.as(app.admin, 'put', `/api/users/${id}/roles`).set('If-Match', '*');
    expect((await change.send({ roles: longRoles })).status).toBe(200);
    for (const search of [longest, email, String.fromCodePoint(longest.codePointAt(0) ?? 0)]) {
      const query = new URLSearchParams({ search }).toString();
      const list = await app.as(app.admin, 'get', `/api/users?${query}`).expect(200);
      expect((list.body as TestUser[]).map((each) => each.id)).toContain(id);
    }
  });

  it('is found by every part of the name', async () => {
    const [first = ''] = name;
    for (const search of [name, first]) {
      const answer = await app
        .as(app.admin, 'get', `/api/users?${new URLSearchParams({ search }).toString()}`)
        .expect(200);
      expect((answer.body as TestUser[]).map(({ id }) => id)).toContain(user.id);
    }
  });
});
