import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { claimsOf, logIn, presentRefresh, statusOf } from '../../support/builders/sessions.js';
import { closeConnections } from '../../support/http/send.js';
import { TestApp } from '../../support/app/test-app.js';
import { createUserWith, NOBODY } from '../../support/builders/users.js';

describe('DELETE /api/users/{id}/sessions/{session_id}', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create();
  });
  afterAll(() => {
    closeConnections();
    return app.close();
  });

  it('ends one session of another user, and no other one', async () => {
    const revoker = await createUserWith(app, ['sessions:revoke']);
    const user = await app.createUser();
    const [first, second] = [await logIn(app.url, user.email), await logIn(app.url, user.email)];
    const path = `/api/users/${user.id}/sessions`;
    const one = `${path}/${claimsOf(first.access_token).sid}`;
    expect((await app.as(revoker, 'delete', one)).status).toBe(204);
    expect(await statusOf(app.url, first.access_token)).toBe(401);
    expect((await presentRefresh(app.url, first.refresh_token)).status).toBe(401);
    expect(await statusOf(app.url, second.access_token)).toBe(200);
    expect((await presentRefresh(app.url, second.refresh_token)).status).toBe(200);
    expect((await app.as(revoker, 'delete', one)).status).toBe(404);
    const ofRevoker = `${path}/${claimsOf(revoker.token).sid}`;
    expect((await app.as(revoker, 'delete', ofRevoker)).status).toBe(404);
    expect(await statusOf(app.url, revoker.token)).toBe(200);
    expect((await app.as(revoker, 'delete', `${path}/no-id`)).body).toMatchObject({
      error: { code: 'VALIDATION_ERROR', details: [{ field: 'session_id' }] },
    });
    expect(
      (await app.as(revoker, 'delete', `/api/users/${NOBODY}/sessions/${claimsOf(revoker.token).sid}`))
        .status,
    ).toBe(404);
    const entries = (await app.as(app.admin, 'get', `/api/audit?target_id=${user.id}&action=session.revoke`))
      .body as object[];
    expect(entries).toMatchObject([{ actor: { id: revoker.id } }]);
  });
});
