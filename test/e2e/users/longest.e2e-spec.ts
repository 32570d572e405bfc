import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Account, PASSWORD, TestApp } from '../../support/test-app.js';

/** Four bytes each in UTF-8, and at random, so that nothing can be compressed: index entries are bounded. */
const ideographs = (length: number): string =>
  Array.from({ length }, () => String.fromCodePoint(randomInt(0x20000, 0x2a6d0))).join('');
const letters = (length: number): string =>
  Array.from({ length }, () => String.fromCharCode(randomInt(97, 123))).join('');

describe('an account whose every part is as long as it may be', () => {
  let app: TestApp;
  let account: Account;
  let name: string;
  beforeAll(async () => {
    app = await TestApp.create();
    const email = `${letters(64)}@${ideographs(8)}.${ideographs(8)}.${ideographs(8)}.${ideographs(8)}.example`;
    name = ideographs(100);
    const answer = await app.request('post', '/api/users').send({ email, name, password: PASSWORD });
    expect(answer.status).toBe(201);
    account = { id: (answer.body as { id: string }).id, email, token: '' };
  });
  afterAll(() => app.close());

  it('takes as many roles as it may have, of the longest names', async () => {
    const roles = Array.from({ length: 16 }, () => letters(50));
    for (const role of roles) {
      await app.as(app.admin, 'put', `/api/roles/${role}`).send({ permissions: [] }).expect(200);
    }
    const answer = await app
      .as(app.admin, 'put', `/api/users/${account.id}/roles`)
      .set('If-Match', '*')
      .send({ roles });
    expect(answer.status).toBe(200);
  });

  it('is found by every part of its name', async () => {
    const [first = ''] = name;
    for (const search of [name, first]) {
      const answer = await app
        .as(app.admin, 'get', `/api/users?${new URLSearchParams({ search }).toString()}`)
        .expect(200);
      expect((answer.body as Account[]).map(({ id }) => id)).toContain(account.id);
    }
  });
});
