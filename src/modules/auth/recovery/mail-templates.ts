import { readFileSync } from 'node:fs';
import type { Mail } from '../../../platform/mail/mailer.service.js';

export const mailTemplates = [
  'verify-email',
  'change-email',
  'reset-password',
  'password-changed',
  'email-change-requested',
] as const;
export type MailTemplate = (typeof mailTemplates)[number];

const texts = new Map(
  mailTemplates.map((name) => [name, readFileSync(new URL(`./mails/${name}.txt`, import.meta.url), 'utf8')]),
);

/**
 * Renders a template, whose first line is the subject. Values are not escaped because mails are plain text.
 */
export function renderMail(
  template: MailTemplate,
  to: string,
  values: Readonly<Record<string, string>>,
): Mail {
  const [subject = '', , ...lines] = (texts.get(template) ?? '').split('\n');
  const text = lines.join('\n').replace(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? '');
  return { to, subject, text };
}
