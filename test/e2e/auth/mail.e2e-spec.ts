import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { OneTimeTokensRepository } from '../../../src/modules/auth/recovery/one-time-tokens.repository.js';
import { UnitOfWork } from '../../../src/platform/database/transactions/unit-of-work.js';
import { QueueMaintenance } from '../../../src/platform/queue/queue-maintenance.service.js';
import { TaskQueue } from '../../../src/platform/queue/task.queue.js';
import { Mailer } from '../../../src/platform/mail/mailer.service.js';
import { mailsSent, mailsTo, mailTo, tokenIn } from '../../support/builders/mails.js';
import { SmtpSink } from '../../support/app/smtp-sink.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

const NEW_PASSWORD = 'a better horse battery';

describe('mail', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create();
  });
  afterAll(() => app.close());

  const post = (path: string, body: object) => app.request('post', path).send(body);
  const verify = (token: string) => post('/api/auth/email/verify', { token });
  const reset = (token: string, password = NEW_PASSWORD) =>
    post('/api/auth/password/reset', { token, new_password: password });
  const login = (email: string, password: string) => post('/api/auth/login', { email, password });
  const me = async (user: TestUser) =>
    (await app.as(user, 'get', '/api/users/me')).body as {
      email: string;
      email_verified: boolean;
      version: number;
    };

  describe('to confirm an address', () => {
    it('is sent at sign-up and confirms the address once', async () => {
      const user = await app.createUser();
      expect((await me(user)).email_verified).toBe(false);
      const token = tokenIn((await mailTo(app, user.email, /^Confirm your email/)).text);
      expect((await verify(token)).status).toBe(204);
      expect(await me(user)).toMatchObject({ email_verified: true, version: 2 });
      expect((await verify(token)).status).toBe(400);
      expect(await me(user)).toMatchObject({ email_verified: true, version: 2 });
    });

    it('is sent again on request, unless nothing is left to confirm', async () => {
      const user = await app.createUser();
      const first = tokenIn((await mailTo(app, user.email, /^Confirm/)).text);
      expect((await post('/api/auth/email/resend', { email: user.email })).status).toBe(202);
      const second = tokenIn((await mailTo(app, user.email, /^Confirm/, 2)).text);
      expect(second).not.toBe(first);
      expect((await verify(second)).status).toBe(204);
      // Using one token voids the other tokens for the same purpose.
      expect((await verify(first)).status).toBe(400);
      expect((await post('/api/auth/email/resend', { email: user.email })).status).toBe(202);
      await mailsSent(app);
      expect(mailsTo(app, user.email)).toHaveLength(2);
    });

    it('is sent at most five times an hour, however often it is requested', async () => {
      const user = await app.createUser();
      for (let i = 0; i < 8; i++) await post('/api/auth/email/resend', { email: user.email });
      await mailsSent(app);
      expect(mailsTo(app, user.email)).toHaveLength(5);
    });

    it('is not sent more often for concurrent requests', async () => {
      const user = await app.createUser();
      const [unitOfWork, tokens] = [app.nest.get(UnitOfWork), app.nest.get(OneTimeTokensRepository)];
      const granted = { purpose: 'reset-password', userId: user.id, email: user.email } as const;
      const issued = await Promise.all(
        Array.from({ length: 8 }, () =>
          unitOfWork.run(async () => {
            // Gives each request the time to get a connection and to start.
            await unitOfWork.manager.query('SELECT pg_sleep(0.05)');
            return tokens.issue(granted);
          }),
        ),
      );
      expect(issued.filter((token) => token !== null)).toHaveLength(5);
    });

    it('is valid for a day', async () => {
      const user = await app.createUser();
      const token = tokenIn((await mailTo(app, user.email, /^Confirm/)).text);
      await app.database.query(
        `UPDATE one_time_tokens SET expires_at = now() - interval '1 second' WHERE user_id = $1`,
        [user.id],
      );
      expect((await verify(token)).status).toBe(400);
    });
  });

  describe('to reset a password', () => {
    it('sets a new password once and ends every session', async () => {
      const user = await app.createUser();
      expect((await post('/api/auth/password/forgot', { email: user.email.toUpperCase() })).status).toBe(202);
      const token = tokenIn((await mailTo(app, user.email, /^Set a new password/)).text);
      expect((await reset(token, 'password123')).status).toBe(400);
      const unchanged = await reset(token, PASSWORD);
      expect(unchanged.status).toBe(400);
      expect(unchanged.body).toMatchObject({ error: { details: [{ field: 'new_password' }] } });
      expect((await reset(token)).status).toBe(204);
      expect((await app.as(user, 'get', '/api/users/me')).status).toBe(401);
      expect((await login(user.email, PASSWORD)).status).toBe(401);
      expect((await login(user.email, NEW_PASSWORD)).status).toBe(200);
      expect((await reset(token)).status).toBe(400);
      await mailTo(app, user.email, /^Your password was changed/);
    });

    it('works for one of many concurrent uses', async () => {
      const user = await app.createUser();
      await post('/api/auth/password/forgot', { email: user.email });
      const token = tokenIn((await mailTo(app, user.email, /^Set a new password/)).text);
      const answers = await Promise.all(
        Array.from({ length: 5 }, (_, i) => reset(token, `${NEW_PASSWORD} ${i}`)),
      );
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
        204, 400, 400, 400, 400,
      ]);
    });

    it('is not sent to an unknown address or a disabled user, with identical responses', async () => {
      const disabled = await app.createUser();
      await app.as(app.admin, 'patch', `/api/users/${disabled.id}`).send({ status: 'disabled' }).expect(200);
      const known = await app.createUser();
      const answers = [];
      for (const email of [known.email, disabled.email, 'nobody@example.com', 'no address']) {
        const answer = await post('/api/auth/password/forgot', { email });
        const { 'x-request-id': _id, date: _date, ...headers } = answer.headers as Record<string, string>;
        answers.push([answer.status, headers, answer.text]);
      }
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      await mailTo(app, known.email, /^Set a new password/);
      await mailsSent(app);
      for (const email of [disabled.email, 'nobody@example.com', 'no address'])
        expect(mailsTo(app, email).filter(({ subject }) => subject.startsWith('Set'))).toEqual([]);
    });

    it('has a token that no other route accepts', async () => {
      const user = await app.createUser();
      await post('/api/auth/password/forgot', { email: user.email });
      const token = tokenIn((await mailTo(app, user.email, /^Set a new password/)).text);
      expect((await verify(token)).status).toBe(400);
      expect((await post('/api/auth/refresh', { refresh_token: token })).status).toBe(401);
      const confirm = tokenIn((await mailTo(app, user.email, /^Confirm/)).text);
      expect((await reset(confirm)).status).toBe(400);
      expect((await reset(token)).status).toBe(204);
    });
  });

  describe('to change an address', () => {
    const change = (user: TestUser, newEmail: string, password = PASSWORD) =>
      app.as(user, 'post', '/api/users/me/email').send({ new_email: newEmail, password });

    it('takes effect when the new address is confirmed, and notifies the old one', async () => {
      const user = await app.createUser();
      expect((await change(user, 'Somebody.New@example.com')).status).toBe(202);
      await mailTo(app, user.email, /about to change/);
      expect((await me(user)).email).toBe(user.email);
      const token = tokenIn((await mailTo(app, 'Somebody.New@example.com', /^Confirm your new/)).text);
      expect((await verify(token)).status).toBe(204);
      expect(await me(user)).toMatchObject({ email: 'Somebody.New@example.com', email_verified: true });
      expect((await login('somebody.new@example.com', PASSWORD)).status).toBe(200);
      expect((await login(user.email, PASSWORD)).status).toBe(401);
      const found = await app.as(app.admin, 'get', '/api/users?search=somebody.NEW');
      expect(found.body).toMatchObject([{ id: user.id }]);
    });

    it('requires the password', async () => {
      const user = await app.createUser();
      const answer = await change(user, 'other@example.com', 'wrong wrong');
      expect(answer.status).toBe(400);
      await mailsSent(app);
      expect(mailsTo(app, 'other@example.com')).toEqual([]);
    });

    const tokenFor = async (email: string, subject: RegExp) =>
      tokenIn((await mailTo(app, email, subject)).text);

    it('cannot be undone with tokens mailed to the old address', async () => {
      const user = await app.createUser();
      const confirmOld = await tokenFor(user.email, /^Confirm your email/);
      await post('/api/auth/password/forgot', { email: user.email });
      const resetOld = await tokenFor(user.email, /^Set a new password/);
      await change(user, 'left.behind@example.com');
      expect((await verify(await tokenFor('left.behind@example.com', /^Confirm your new/))).status).toBe(204);
      expect((await verify(confirmOld)).status).toBe(400);
      expect((await reset(resetOld)).status).toBe(400);
      expect(await me(user)).toMatchObject({ email: 'left.behind@example.com', email_verified: true });
      expect((await login('left.behind@example.com', PASSWORD)).status).toBe(200);
    });

    it('applies only the last requested address', async () => {
      const user = await app.createUser();
      await change(user, 'mistyped@example.com');
      const mistyped = await tokenFor('mistyped@example.com', /^Confirm your new/);
      await change(user, 'as.meant@example.com');
      const meant = await tokenFor('as.meant@example.com', /^Confirm your new/);
      expect((await verify(mistyped)).status).toBe(400);
      expect((await verify(meant)).status).toBe(204);
      expect((await me(user)).email).toBe('as.meant@example.com');
    });

    it.each(['changed', 'reset'] as const)(
      'is not confirmed by a token from before the password was %s',
      async (how) => {
        const user = await app.createUser();
        const wanted = `thief.${how}@example.com`;
        await change(user, wanted);
        const stolen = await tokenFor(wanted, /^Confirm your new/);
        await post('/api/auth/password/forgot', { email: user.email });
        const resetToken = await tokenFor(user.email, /^Set a new password/);
        if (how === 'changed') {
          const answer = await app
            .as(user, 'put', '/api/auth/password')
            .send({ current_password: PASSWORD, new_password: NEW_PASSWORD });
          expect(answer.status).toBe(200);
        } else expect((await reset(resetToken)).status).toBe(204);
        expect((await verify(stolen)).status).toBe(400);
        expect((await reset(resetToken)).status).toBe(400);
        expect((await login(user.email, NEW_PASSWORD)).status).toBe(200);
      },
    );

    it('reveals a taken address only on confirmation, and then changes nothing', async () => {
      const [user, owner] = [await app.createUser(), await app.createUser()];
      expect((await change(user, owner.email)).status).toBe(202);
      const token = tokenIn((await mailTo(app, owner.email, /^Confirm your new/)).text);
      expect((await verify(token)).status).toBe(409);
      expect((await me(user)).email).toBe(user.email);
      expect((await me(owner)).email).toBe(owner.email);
    });
  });

  describe('whose task', () => {
    const upkeep = () => app.nest.get(QueueMaintenance);
    /** Adds a task of a kind that no worker here handles, so that it stays unchanged. */
    const lay = async (state: string): Promise<string> => {
      const [job] = await app.database.query<{ id: string }>(
        `SELECT id FROM graphile_worker.add_job('tests.undone', max_attempts => 12)`,
      );
      await app.database.query(`UPDATE graphile_worker._private_jobs SET ${state} WHERE id = $1`, [job?.id]);
      return String(job?.id);
    };
    const find = async (id: string) =>
      (
        await app.database.query<{ holder: string | null }>(
          'SELECT locked_by AS holder FROM graphile_worker.jobs WHERE id = $1',
          [id],
        )
      )[0];
    const remove = (ids: string[]) =>
      app.database.query('DELETE FROM graphile_worker._private_jobs WHERE id = ANY ($1)', [ids]);

    it('was locked by a killed instance is retried after 15 minutes', async () => {
      const lost = await lay(`locked_by = 'killed', locked_at = now() - interval '16 minutes'`);
      const held = await lay(`locked_by = 'alive', locked_at = now() - interval '14 minutes'`);
      await upkeep().unlockLostTasks();
      expect([await find(lost), await find(held)]).toEqual([{ holder: null }, { holder: 'alive' }]);
      await remove([lost, held]);
    });

    it('has failed for good is deleted with its payload a day after it was created', async () => {
      const old = `created_at = now() - interval '25 hours'`;
      const failed = await lay(`attempts = 12, ${old}`);
      const kept = [
        await lay(`attempts = 12, created_at = now() - interval '23 hours'`),
        await lay(`attempts = 11, ${old}`),
        await lay(`attempts = 12, ${old}, locked_by = 'alive', locked_at = now()`),
      ];
      await upkeep().deleteFailed();
      expect(await find(failed)).toBeUndefined();
      for (const id of kept) expect(await find(id)).toBeDefined();
      await remove(kept);
    });

    it('is attempted twelve times', async () => {
      await app.nest.get(TaskQueue).enqueue('tests.undone', {});
      const rows = await app.database.query(
        `DELETE FROM graphile_worker._private_jobs WHERE task_id =
           (SELECT id FROM graphile_worker._private_tasks WHERE identifier = 'tests.undone')
         RETURNING max_attempts AS tries`,
      );
      expect(rows).toEqual([{ tries: 12 }]);
    });
  });

  it('contains no text chosen at sign-up', async () => {
    const user = await app.createUser(['user'], 'Click example.org NOW');
    await post('/api/auth/password/forgot', { email: user.email });
    await app
      .as(user, 'post', '/api/users/me/email')
      .send({ new_email: 'a.stranger@example.com', password: PASSWORD })
      .expect(202);
    await app
      .as(user, 'put', '/api/auth/password')
      .send({ current_password: PASSWORD, new_password: NEW_PASSWORD })
      .expect(200);
    await mailTo(app, user.email, /^Your password was changed/);
    await mailsSent(app);
    const mails = [...mailsTo(app, user.email), ...mailsTo(app, 'a.stranger@example.com')];
    expect(mails).toHaveLength(5);
    for (const mail of mails) expect(JSON.stringify(mail)).not.toContain('Click');
  });

  it('leaves no plain token or address in the queue or the token table', async () => {
    const [holder] = await app.database.query<{ locked: boolean }>(
      `SELECT count(*) > 0 AS locked FROM graphile_worker._private_tasks WHERE identifier = 'mail.send'`,
    );
    expect(holder?.locked).toBe(true);
    const dump = await app.database.query<{ row: string }>(
      `SELECT to_jsonb(t)::text AS row FROM one_time_tokens AS t UNION ALL SELECT payload::text FROM graphile_worker._private_jobs`,
    );
    const sent = app.nest.get(Mailer).sent.flatMap(({ text }) => text.match(/^[\w-]{43}$/m) ?? []);
    expect(sent.length).toBeGreaterThan(0);
    for (const token of sent) expect(dump.some(({ row }) => row.includes(token))).toBe(false);
  });

  it('commits together with its sign-up, so a failed sign-up leaves no mail', async () => {
    const user = await app.createUser();
    await mailsSent(app);
    const before = mailsTo(app, user.email).length;
    const again = await post('/api/users', { email: user.email, password: PASSWORD, name: 'Twice' });
    expect(again.status).toBe(409);
    await mailsSent(app);
    expect(mailsTo(app, user.email)).toHaveLength(before);
  });
});

describe('mail delivery', () => {
  /** Returns the recorded errors of failed tasks, once there are some. */
  async function failures(app: TestApp): Promise<string[]> {
    let errors: string[] = [];
    await until(async () => {
      const rows = await app.database.query<{ error: string }>(
        'SELECT last_error AS error FROM graphile_worker.jobs WHERE last_error IS NOT NULL',
      );
      errors = rows.map(({ error }) => error);
      return errors.length > 0;
    });
    return errors;
  }

  it('uses SMTP with SMTP_URL, and retries after a temporary refusal', async () => {
    const sink = await SmtpSink.listen(1);
    const app = await TestApp.create({ config: { SMTP_URL: sink.url } });
    try {
      const user = await app.createUser();
      const mailsToUser = () => sink.mails.filter((mail) => mail.includes(`To: ${user.email}`));
      const [failed] = await failures(app);
      expect(failed).toEqual('the mail was not accepted (EENVELOPE 451)');
      // A refused task waits before its retry; the length of the wait does not matter here.
      await until(async () => {
        await app.database.query(
          'UPDATE graphile_worker._private_jobs SET run_at = now() WHERE attempts > 0',
        );
        return sink.mails.length === 2;
      });
      expect(mailsToUser()[0]).toMatch(/^Subject: Confirm your email address$/m);
      expect(mailsToUser()).toHaveLength(1);
    } finally {
      await app.close();
      sink.close();
    }
  });

  it('writes a file that mail programs can open with MAIL_DIR', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-mail-'));
    const app = await TestApp.create({ config: { MAIL_DIR: folder } });
    try {
      const user = await app.createUser(['user'], 'Zoë Ünal');
      const files = async () => (await readdir(folder)).filter((file) => file.endsWith('.eml'));
      await until(async () => (await files()).length === 2);
      const mails = await Promise.all((await files()).map((file) => readFile(join(folder, file), 'utf8')));
      const mail = mails.find((text) => text.includes(`To: ${user.email}`)) ?? '';
      expect(mail).toMatch(/^From: Gatehouse <no-reply@localhost>\r$/m);
      expect(mail).toMatch(/^Content-Type: multipart\/alternative;/m);
      expect(mail).toMatch(/^Content-Type: text\/plain; charset=utf-8\r$/m);
      expect(mail).toMatch(/^Content-Type: text\/html; charset=utf-8\r$/m);
    } finally {
      await app.close();
      await rm(folder, { recursive: true });
    }
  });
});
