import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Mailer } from '../../../src/platform/mail/mailer.service.js';
import { imported, ndjson, NDJSON } from '../../support/builders/imports.js';
import { batch } from '../../support/builders/jobs.js';
import { mailTo, tokenIn } from '../../support/builders/mails.js';
import { settled } from '../../support/app/settled.js';
import { PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { createUserWith, read } from '../../support/builders/users.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app?.close());

const importedIds = async (...emails: string[]): Promise<string[]> => {
  const { results } = await imported(app, NDJSON, ndjson(...emails.map((email) => ({ email }))));
  return results.map(({ id = '' }) => id);
};
const reset = async (email: string, password: string): Promise<void> => {
  const { text } = await mailTo(app, email, /password/i);
  const token = tokenIn(text);
  await app.request('post', '/api/auth/password/reset').send({ token, new_password: password }).expect(204);
};

describe('the batch action send_reset', () => {
  it('lets imported users set a password, which confirms their addresses', async () => {
    const emails = ['one@reset.example', 'two@reset.example'];
    const ids = await importedIds(...emails);
    const { job, results } = await batch(app, { action: 'send_reset', user_ids: ids });
    expect(job).toMatchObject({ type: 'users.send_reset', done: 2, failed: 0 });
    expect(results.map(({ status }) => status)).toEqual(['ok', 'ok']);
    for (const [place, email] of emails.entries()) {
      expect((await read(app, ids[place] ?? '')).email_verified).toBe(false);
      await reset(email, PASSWORD);
      await signIn(app.url, email, PASSWORD);
      expect((await read(app, ids[place] ?? '')).email_verified).toBe(true);
    }
    const entries = await app.as(
      app.admin,
      'get',
      `/api/audit?target_id=${ids[0]}&action=user.password_reset`,
    );
    expect(entries.body).toMatchObject([
      { actor: { id: app.admin.id }, request_id: job.id, outcome: 'success' },
    ]);
  });

  it('fails for users who are not active and for those above the caller, and mails the others', async () => {
    const [active = '', disabled = ''] = await importedIds('active@state.example', 'disabled@state.example');
    await app.as(app.admin, 'patch', `/api/users/${disabled}`).send({ status: 'disabled' }).expect(200);
    const writer = await createUserWith(app, ['users:write']);
    const userIds = [active, disabled, app.admin.id];
    const { results } = await batch(app, { action: 'send_reset', user_ids: userIds }, writer);
    expect(results.map(({ status, error }) => error?.code ?? status)).toEqual([
      'ok',
      'CONFLICT',
      'FORBIDDEN',
    ]);
    expect(await mailTo(app, 'active@state.example', /password/i)).toBeDefined();
  });

  it('mails nobody in a dry run, and requires users:write', async () => {
    const ids = await importedIds('dry@reset.example');
    const { job } = await batch(app, { action: 'send_reset', user_ids: ids, dry_run: true });
    expect(job).toMatchObject({ done: 1 });
    await settled(app.database);
    const { sent } = app.nest.get(Mailer);
    expect(sent.filter(({ to }) => to === 'dry@reset.example')).toEqual([]);
    const other = await createUserWith(app, ['sessions:revoke']);
    const answer = await app
      .as(other, 'post', '/api/users/batch')
      .send({ action: 'send_reset', user_ids: ids });
    expect(answer.status).toBe(403);
  });
});
