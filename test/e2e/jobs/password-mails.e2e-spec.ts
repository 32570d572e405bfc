import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { imported, ndjson, NDJSON } from '../../support/builders/imports.js';
import { batch } from '../../support/builders/jobs.js';
import { mailsSent, mailsTo, mailTo, tokenIn } from '../../support/builders/mails.js';
import { settled } from '../../support/app/settled.js';
import { PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { createUserWith, read } from '../../support/builders/users.js';

const INVITED = /^You are invited to Gatehouse$/;

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app?.close());

const importedIds = async (...emails: string[]): Promise<string[]> => {
  const { results } = await imported(app, NDJSON, ndjson(...emails.map((email) => ({ email }))));
  return results.map(({ id = '' }) => id);
};
const setPassword = async (token: string, password: string): Promise<void> => {
  await app.request('post', '/api/auth/password/reset').send({ token, new_password: password }).expect(204);
};
const invitationsTo = (to: string) => mailsTo(app, to).filter(({ subject }) => INVITED.test(subject));
const reset = async (email: string, password: string): Promise<void> => {
  const { text } = await mailTo(app, email, /password/i);
  await setPassword(tokenIn(text), password);
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
    await mailsSent(app);
    expect(mailsTo(app, 'dry@reset.example')).toEqual([]);
    const other = await createUserWith(app, ['sessions:revoke']);
    const answer = await app
      .as(other, 'post', '/api/users/batch')
      .send({ action: 'send_reset', user_ids: ids });
    expect(answer.status).toBe(403);
  });
});

describe('the batch action send_invitation', () => {
  it('invites imported users to set a password, which confirms their addresses', async () => {
    const emails = ['one@invited.example', 'two@invited.example'];
    const ids = await importedIds(...emails);
    const { job, results } = await batch(app, { action: 'send_invitation', user_ids: ids });
    expect(job).toMatchObject({ type: 'users.send_invitation', done: 2, failed: 0 });
    expect(results.map(({ status }) => status)).toEqual(['ok', 'ok']);
    for (const [place, email] of emails.entries()) {
      const { text } = await mailTo(app, email, INVITED);
      await setPassword(tokenIn(text), PASSWORD);
      await signIn(app.url, email, PASSWORD);
      expect((await read(app, ids[place] ?? '')).email_verified).toBe(true);
    }
    const entries = await app.as(app.admin, 'get', `/api/audit?target_id=${ids[0]}&action=user.invite`);
    expect(entries.body).toMatchObject([
      { actor: { id: app.admin.id }, request_id: job.id, outcome: 'success' },
    ]);
  });

  it('fails for a user with a password, for a disabled one and for one above the caller', async () => {
    const [invited = '', disabled = ''] = await importedIds('guest@state.example', 'barred@state.example');
    await app.as(app.admin, 'patch', `/api/users/${disabled}`).send({ status: 'disabled' }).expect(200);
    const settledUser = await app.createUser();
    const writer = await createUserWith(app, ['users:write']);
    const userIds = [settledUser.id, disabled, app.admin.id, invited];
    const { results } = await batch(app, { action: 'send_invitation', user_ids: userIds }, writer);
    expect(results.map(({ status, error }) => error?.code ?? status)).toEqual([
      'CONFLICT',
      'CONFLICT',
      'FORBIDDEN',
      'ok',
    ]);
    expect(results[0]?.error?.message).toContain('has a password');
    expect(await mailTo(app, 'guest@state.example', INVITED)).toBeDefined();
    expect(invitationsTo(settledUser.email)).toEqual([]);
  });

  it('mails nobody in a dry run', async () => {
    const ids = await importedIds('dry@invited.example');
    const { job } = await batch(app, { action: 'send_invitation', user_ids: ids, dry_run: true });
    expect(job).toMatchObject({ done: 1 });
    await settled(app.database);
    expect(invitationsTo('dry@invited.example')).toEqual([]);
  });
});
