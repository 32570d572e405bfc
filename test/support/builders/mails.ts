import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Mailer, type Mail } from '../../../src/platform/mail/mailer.service.js';
import type { TestApp } from '../app/test-app.js';
import { until } from '../app/until.js';

const TOKEN = /^[\w-]{43}$/m;

/** Returns the newest mail with that subject to that address, once it has been sent. */
export async function mailTo(app: TestApp, to: string, subject: RegExp, count = 1): Promise<Mail> {
  const { sent } = app.nest.get(Mailer);
  const matching = () => sent.filter((mail) => mail.to === to && subject.test(mail.subject));
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
