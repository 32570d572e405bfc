import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readConfig } from '../../../src/config/config.js';
import { mailTo, tokenIn } from '../../support/builders/mails.js';
import { SmtpSink } from '../../support/app/smtp-sink.js';
import { PASSWORD, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

const NEW_PASSWORD = 'a better horse battery';

describe('the words of a mail', () => {
  const config = {
    PRODUCT_NAME: 'Tom & Jerry <Ltd>',
    PUBLIC_URL: 'https://accounts.example.com',
    MAIL_LINK_VERIFY: 'https://app.example.com/verify?token={token}&from=mail',
    MAIL_LINK_RESET: 'https://app.example.com/reset#{token}',
  };
  let app: TestApp;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-templates-'));
    await mkdir(join(folder, 'fr'));
    await writeFile(
      join(folder, 'fr', 'verify-email.txt'),
      'Bienvenue chez {{product}}\n\nConfirmer :\n{{link}}\n\n{{token}}\n',
    );
    app = await TestApp.create({ config: { ...config, MAIL_TEMPLATES_DIR: folder } });
  });
  afterAll(async () => {
    await app.close();
    await rm(folder, { recursive: true });
  });

  let addresses = 0;
  const signUp = async (language: string): Promise<string> => {
    const email = `reader-${++addresses}@example.com`;
    const body = { email, password: PASSWORD, name: 'Reader' };
    await app.request('post', '/api/users').set('Accept-Language', language).send(body).expect(201);
    return email;
  };

  it('name the product, link to the front end and show the code, as text and as HTML', async () => {
    const email = await signUp('en');
    const { text, html = '' } = await mailTo(app, email, /^Confirm your email address$/);
    const token = tokenIn(text);
    expect(text).toContain('address for Tom & Jerry <Ltd>.');
    expect(text).toContain(`\nhttps://app.example.com/verify?token=${token}&from=mail\n`);
    expect(text).toContain('https://accounts.example.com');
    expect(html).toMatch(/^<!doctype html>\s*<html lang="en">/);
    expect(html).toContain('Tom &#38; Jerry &#60;Ltd&#62;');
    expect(html).not.toContain('<Ltd>');
    expect(html).toContain(`<a href="https://app.example.com/verify?token=${token}&#38;from=mail"`);
    expect(html).toContain(`>${token}</code>`);
    for (const part of [text, html]) expect(part).not.toMatch(/\/api\/|POST|\{\{|undefined|null/);
  });

  it('are in the language of the user', async () => {
    const email = await signUp('de-DE');
    const { text, html } = await mailTo(app, email, /^Bestätigen Sie Ihre E-Mail-Adresse$/);
    expect(html).toContain('<html lang="de">');
    await app
      .request('post', '/api/auth/email/verify')
      .send({ token: tokenIn(text) })
      .expect(204);
    await app.request('post', '/api/auth/password/forgot').send({ email });
    const reset = await mailTo(app, email, /^Legen Sie ein neues Passwort fest$/);
    const token = tokenIn(reset.text);
    expect(reset.text).toContain(`https://app.example.com/reset#${token}`);
    await app
      .request('post', '/api/auth/password/reset')
      .send({ token, new_password: NEW_PASSWORD })
      .expect(204);
    await mailTo(app, email, /^Ihr Passwort wurde geändert$/);
  });

  it('come from the folder of the operator, and from English where it lacks a mail', async () => {
    const email = await signUp('fr-CA, en;q=0.5');
    const { text } = await mailTo(app, email, /^Bienvenue chez Tom & Jerry <Ltd>$/);
    await app.request('post', '/api/auth/password/forgot').send({ email });
    await mailTo(app, email, /^Set a new password$/);
    expect((await app.request('post', '/api/auth/email/verify').send({ token: tokenIn(text) })).status).toBe(
      204,
    );
  });

  it('follow the locale that the user chose last', async () => {
    const user = await app.createUser();
    await app.as(user, 'patch', '/api/users/me').send({ locale: 'de' }).expect(200);
    await app.request('post', '/api/auth/password/forgot').send({ email: user.email });
    await mailTo(app, user.email, /^Legen Sie ein neues Passwort fest$/);
  });

  it('contain a code that can be typed in lower case and without hyphens', async () => {
    const code = tokenIn((await mailTo(app, await signUp('en'), /^Confirm your email/)).text);
    expect(code).toMatch(/^(?:[0-9A-Z]{3}-){10}[0-9A-Z]{3}$/);
    const typed = { token: code.toLowerCase().replaceAll('-', '') };
    expect((await app.request('post', '/api/auth/email/verify').send(typed)).status).toBe(204);
    expect((await app.request('post', '/api/auth/email/verify').send({ token: code })).status).toBe(400);
  });

  it('are not part of a password', async () => {
    const body = { email: 'jerry@example.com', name: 'Mouse', password: 'my tom & jerry <ltd> 7' };
    const answer = await app.request('post', '/api/users').send(body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      error: { message: 'password must not contain the name of the product' },
    });
  });
});

describe('the sender of a mail', () => {
  it('uses MAIL_FROM as the sender, with the name of the product unless it has one', async () => {
    const senders = [
      ['accounts@acme.example', /^From: "?Acme, Inc\."? <accounts@acme\.example>\r?$/m],
      ['"Doors, GmbH" <doors@acme.example>', /^From: "Doors, GmbH" <doors@acme\.example>\r?$/m],
    ] as const;
    for (const [MAIL_FROM, from] of senders) {
      const sink = await SmtpSink.listen();
      const parsed = readConfig({ MAIL_FROM });
      const config = { SMTP_URL: sink.url, MAIL_FROM: parsed.MAIL_FROM, PRODUCT_NAME: 'Acme, Inc.' };
      const app = await TestApp.create({ config });
      try {
        const user = await app.createUser();
        await until(() => sink.mails.some((mail) => mail.includes(`To: ${user.email}`)));
        expect(sink.mails.find((mail) => mail.includes(`To: ${user.email}`))).toMatch(from);
      } finally {
        await app.close();
        sink.close();
      }
    }
  });
});
