import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Mailer, type Mail } from '../../../src/platform/mail/mailer.service.js';
import type { TestApp } from '../app/test-app.js';
import { until } from '../app/until.js';

const TOKEN = /^[\w-]{43}$/m;

/** Returns the mails to that address that have been sent. */
export const mailsTo = (app: TestApp, to: string): Mail[] =>
  app.nest.get(Mailer).sent.filter((mail) => mail.to === to);

/** Waits until no task is left in the queue, and so no mail to send. */
export const mailsSent = (app: TestApp): Promise<void> =>
  until(async () => (await app.database.query('SELECT 1 FROM graphile_worker.jobs')).length === 0);

/** Returns the newest mail with that subject to that address, once it has been sent. */
export async function mailTo(app: TestApp, to: string, subject: RegExp, count = 1): Promise<Mail> {
  const matching = () => mailsTo(app, to).filter((mail) => subject.test(mail.subject));
  await until(() => matching().length >= count);
  const mail = matching().at(-1);
  if (!mail) throw new Error('no such mail');
  return mail;
}

/** Returns the token in a mail's text. */
export function tokenIn(text: string): string {
  const [token] = TOKEN.exec(text) ?? [];
  if (token === undefined) throw new Error(`no token in: ${text}`);
  return token;
}

export const mailsIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder).catch(() => [])).filter((file) => file.endsWith('.eml')).toSorted();

/** Returns the token of the newest mail with that subject to that address, except the mails in `known`. */
export async function tokenInFolder(
  folder: string,
  to: string,
  subject: string,
  known: readonly string[] = [],
): Promise<string> {
  let found: string | undefined;
  await until(async () => {
    const files = (await mailsIn(folder)).filter((file) => !known.includes(file));
    const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
    found = texts.findLast((text) => text.includes(`To: ${to}`) && text.includes(`Subject: ${subject}`));
    return found !== undefined;
  });
  return tokenIn(found?.replaceAll('\r', '') ?? '');
}
