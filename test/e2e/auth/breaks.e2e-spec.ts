import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { UnitOfWork } from '../../../src/platform/database/transactions/unit-of-work.js';
import { TaskQueue } from '../../../src/platform/queue/task.queue.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { CSV, sendFile } from '../../support/builders/imports.js';
import { jobEnded, resultsOf, startBatch } from '../../support/builders/jobs.js';
import { mailsSent, mailsTo, mailTo, tokenIn } from '../../support/builders/mails.js';
import { sessionIdOf, whileChanging } from '../../support/builders/sessions.js';
import { type TestUser, PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { createUserWith, read } from '../../support/builders/users.js';

const NEW_PASSWORD = 'a better horse battery';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app.close());

let addresses = 0;
const freshAddress = (): string => `wanted-${++addresses}@example.com`;
const post = (path: string, body: object) => app.request('post', path).send(body);
const confirm = (token: string) => post('/api/auth/email/verify', { token });
const reset = (token: string) => post('/api/auth/password/reset', { token, new_password: NEW_PASSWORD });

const askForChange = (user: TestUser, address: string) =>
  app.as(user, 'post', '/api/users/me/email').send({ new_email: address, password: PASSWORD });

/** Returns the code that was mailed to the new address. */
async function pendingChange(user: TestUser): Promise<string> {
  const address = freshAddress();
  expect((await askForChange(user, address)).status).toBe(202);
  return tokenIn((await mailTo(app, address, /^Confirm your new/)).text);
}

async function pendingReset({ email }: TestUser, nth = 1): Promise<string> {
  expect((await post('/api/auth/password/forgot', { email })).status).toBe(202);
  return tokenIn((await mailTo(app, email, /^Set a new password/, nth)).text);
}

const byAdmin = (method: 'patch' | 'delete' | 'post', path: string, body?: object) =>
  app.as(app.admin, method, `/api/users/${path}`).send(body);

const shutOutAndLetInAgain = {
  'disabled and enabled': async (id: string) => {
    await byAdmin('patch', id, { status: 'disabled' }).expect(200);
    await byAdmin('patch', id, { status: 'active' }).expect(200);
  },
  'deleted and restored': async (id: string) => {
    await byAdmin('delete', id).expect(204);
    await byAdmin('post', `${id}/restore`).expect(200);
  },
} as const;

describe('a pending change of email address', () => {
  /** A break by the user from another session, or by an administrator. */
  const breaks = {
    'the requesting session logs out': (user: TestUser) =>
      app.as(user, 'post', '/api/auth/logout').expect(204),
    'the requesting session is ended from another one': async (user: TestUser) => {
      const other = await signIn(app.url, user.email, PASSWORD);
      await app.as(other, 'delete', `/api/auth/sessions/${sessionIdOf(user)}`).expect(204);
    },
    'all other sessions are ended from another one': async (user: TestUser) => {
      const other = await signIn(app.url, user.email, PASSWORD);
      await app.as(other, 'delete', '/api/auth/sessions').expect(204);
    },
    'an administrator signs the user out': ({ id }: TestUser) =>
      byAdmin('delete', `${id}/sessions`).expect(204),
    'the requesting session expires': ({ id }: TestUser) =>
      app.database.query(`UPDATE sessions SET expires_at = clock_timestamp() WHERE user_id = $1`, [id]),
  } as const;

  it.each(Object.entries(breaks))('is void when %s', async (_, happen) => {
    const user = await app.createUser();
    const code = await pendingChange(user);
    await happen(user);
    expect((await confirm(code)).status).toBe(400);
    expect(await read(app, user.id)).toMatchObject({ email: user.email, email_verified: false });
  });

  it('survives the end of sessions other than the requesting one', async () => {
    const user = await app.createUser();
    const code = await pendingChange(user);
    const other = await signIn(app.url, user.email, PASSWORD);
    await app.as(other, 'post', '/api/auth/logout').expect(204);
    await app.as(user, 'delete', '/api/auth/sessions').expect(204);
    expect((await confirm(code)).status).toBe(204);
  });

  it('is not requested by a session that ends during the request', async () => {
    const user = await app.createUser();
    const address = freshAddress();
    const end = { sql: 'DELETE FROM sessions WHERE user_id = $1', values: [user.id] };
    const [answer] = await whileChanging(app.database, end, {
      start: () => [askForChange(user, address)],
    });
    expect(answer?.status).toBe(401);
    expect(mailsTo(app, address)).toEqual([]);
  });

  it('is not confirmed while its session is being ended', async () => {
    const user = await app.createUser();
    const code = await pendingChange(user);
    const end = { sql: 'DELETE FROM sessions WHERE user_id = $1', values: [user.id] };
    const [answer] = await whileChanging(app.database, end, { start: () => [confirm(code)] });
    expect(answer?.status).toBe(400);
  });
});

describe('a token mailed before an administrator signs the user out', () => {
  it('is void for a password reset and a confirmation', async () => {
    const user = await app.createUser();
    const confirmation = tokenIn((await mailTo(app, user.email, /^Confirm your email/)).text);
    const forgotten = await pendingReset(user);
    await byAdmin('delete', `${user.id}/sessions`).expect(204);
    expect((await reset(forgotten)).status).toBe(400);
    expect((await confirm(confirmation)).status).toBe(400);
    expect((await reset(await pendingReset(user, 2))).status).toBe(204);
  });

  it('is void when a batch signs the user out', async () => {
    const user = await app.createUser();
    const forgotten = await pendingReset(user);
    const job = await startBatch(app, { action: 'revoke_sessions', user_ids: [user.id] });
    await jobEnded(app, job.id);
    expect((await reset(forgotten)).status).toBe(400);
  });

  it('stays valid when the user ends other sessions', async () => {
    const user = await app.createUser();
    const forgotten = await pendingReset(user);
    await app.as(user, 'delete', '/api/auth/sessions').expect(204);
    expect((await reset(forgotten)).status).toBe(204);
  });
});

describe.each(Object.entries(shutOutAndLetInAgain))('a token mailed before the user is %s', (_, happen) => {
  it('is void for a change of address, a password reset and a confirmation', async () => {
    const user = await app.createUser();
    const confirmation = tokenIn((await mailTo(app, user.email, /^Confirm your email/)).text);
    const codes = [await pendingChange(user), confirmation];
    const forgotten = await pendingReset(user);
    await happen(user.id);
    for (const code of codes) expect((await confirm(code)).status).toBe(400);
    expect((await reset(forgotten)).status).toBe(400);
    expect(await read(app, user.id)).toMatchObject({ email: user.email, email_verified: false });
    // Requests after the break work normally.
    await post('/api/auth/email/resend', { email: user.email });
    const again = tokenIn((await mailTo(app, user.email, /^Confirm your email/, 2)).text);
    expect((await confirm(again)).status).toBe(204);
  });

  it('is not mailed if it still waits in the queue', async () => {
    const { id, email } = await app.createUser();
    await mailTo(app, email, /^Confirm your email/);
    const [{ now }] = (await app.database.query('SELECT clock_timestamp() AS now')) as [{ now: Date }];
    await happen(id);
    const unitOfWork = app.nest.get(UnitOfWork);
    await unitOfWork.run(async () => {
      const request = { purpose: 'reset-password', email };
      await app.nest.get(TaskQueue).enqueue('auth.mail-requested', request, 'asked before');
      await unitOfWork.manager.query(
        `UPDATE graphile_worker._private_jobs SET created_at = $1 WHERE key = 'asked before'`,
        [now],
      );
    });
    await mailsSent(app);
    expect(mailsTo(app, email)).toHaveLength(1);
    await pendingReset({ id, email, token: '' });
  });
});

describe('a bulk job', () => {
  const people = async (count: number): Promise<string[]> => {
    const users = await Promise.all(Array.from({ length: count }, () => app.createUser()));
    return users.map(({ id }) => id);
  };

  /**
   * Starts a batch of 14. Its first ten rows stay in progress until `happen` has finished and the cache has
   * expired.
   * @returns the number of completed rows
   */
  async function doneOf(asker: TestUser, happen: () => Promise<unknown>): Promise<number> {
    const ids = await people(14);
    const lock = await HeldLock.take(app.database.url, 'SELECT 1 FROM users WHERE id = ANY ($1) FOR UPDATE', [
      ids.slice(0, 10),
    ]);
    const { id } = await startBatch(app, { action: 'disable', user_ids: ids }, asker);
    await until(async () => (await lock.waiting()) === 10);
    await happen();
    // An instance caches rights for half a second.
    const since = performance.now();
    await until(() => performance.now() - since > 600);
    await lock.release();
    const { done, failed } = await jobEnded(app, id);
    const results = await resultsOf(app, id);
    const codes = new Set(results.flatMap(({ error }) => (error ? [error.code] : [])));
    expect([...codes]).toEqual(failed > 0 ? ['FORBIDDEN'] : []);
    return done;
  }
  const askerAgain = async (asker: TestUser) => signIn(app.url, asker.email, PASSWORD);

  const withdrawing = {
    ...shutOutAndLetInAgain,
    'signed out by an administrator': (id: string) => byAdmin('delete', `${id}/sessions`).expect(204),
  } as const;

  it.each(Object.entries(withdrawing))(
    'processes no further row after its owner was %s',
    async (_, happen) => {
      const asker = await createUserWith(app, ['users:write']);
      expect(await doneOf(asker, async () => happen(asker.id))).toBe(10);
    },
  );

  it('processes no further row after its owner changes the password or ends its session from another one', async () => {
    const asker = await createUserWith(app, ['users:write']);
    let current = asker;
    const changed = await doneOf(asker, async () => {
      await app
        .as(asker, 'put', '/api/auth/password')
        .send({ current_password: PASSWORD, new_password: NEW_PASSWORD })
        .expect(200);
    });
    current = await signIn(app.url, asker.email, NEW_PASSWORD);
    const ended = await doneOf(current, async () => {
      const other = await signIn(app.url, asker.email, NEW_PASSWORD);
      await app.as(other, 'delete', `/api/auth/sessions/${sessionIdOf(current)}`).expect(204);
    });
    expect([changed, ended]).toEqual([10, 10]);
  });

  it('continues when its owner logs out or ends other sessions', async () => {
    const asker = await createUserWith(app, ['users:write']);
    const others = await doneOf(asker, async () => {
      await askerAgain(asker);
      await app.as(asker, 'delete', '/api/auth/sessions').expect(204);
    });
    const loggedOut = await doneOf(asker, () => app.as(asker, 'post', '/api/auth/logout').expect(204));
    expect([others, loggedOut]).toEqual([14, 14]);
  });

  it('finishes even if it signs out its own owner', async () => {
    const asker = await createUserWith(app, ['sessions:revoke']);
    const ids = await people(30);
    const body = { action: 'revoke_sessions' as const, user_ids: [asker.id, ...ids] };
    const { id } = await startBatch(app, body, asker);
    expect(await jobEnded(app, id)).toMatchObject({ status: 'succeeded', done: 31, failed: 0 });
  });

  it.each([
    [
      'a batch',
      (by: TestUser) => app.as(by, 'post', '/api/users/batch').send({ action: 'enable', user_ids: [by.id] }),
    ],
    ['an import', (by: TestUser) => sendFile(app, CSV, 'email,name\nlate@example.com,Ada\n', by)],
  ])('does not start if the session ends while %s is requested', async (_, ask) => {
    const asker = await createUserWith(app, ['users:write']);
    const end = { sql: 'DELETE FROM sessions WHERE user_id = $1', values: [asker.id] };
    const [answer] = await whileChanging(app.database, end, { start: () => [ask(asker)] });
    expect(answer?.status).toBe(401);
    expect(await app.database.query('SELECT 1 FROM jobs WHERE owner_id = $1', [asker.id])).toEqual([]);
  });
});
