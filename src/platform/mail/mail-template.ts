import { codePointLength } from '../../common/text.js';

/** The names of all mails. Each is a file in a folder that is named after a language. */
export const mailTemplateNames = [
  'verify-email',
  'change-email',
  'email-change-requested',
  'email-changed',
  'reset-password',
  'set-password',
  'invitation',
  'password-changed',
] as const;
export type MailTemplateName = (typeof mailTemplateNames)[number];

/** The values of one mail, with null for a value that the mail lacks. */
export interface MailValues {
  readonly product: string;
  /** The address of the service. */
  readonly url: string;
  /** The link to the page that uses the code. */
  readonly link: string | null;
  /** The code to type on that page if the link cannot be opened. */
  readonly token: string | null;
}

const VALUE_NAMES: ReadonlySet<string> = new Set<keyof MailValues>(['product', 'url', 'link', 'token']);
const LAYOUT_NAMES: ReadonlySet<string> = new Set(['product', 'url', 'language', 'subject', 'content']);
const MAX_SUBJECT_LENGTH = 200;
const PLACEHOLDER = /\{\{(\w+)\}\}/g;
/** A line that consists of one placeholder, which HTML shows as a button, a code or a link. */
const LONE = /^\{\{(link|token|url)\}\}$/;

const BUTTON =
  'display: inline-block; padding: 10px 18px; border-radius: 6px; background: #1a56db; color: #ffffff; text-decoration: none';
const CODE = 'font: 15px/1.6 ui-monospace, monospace; word-break: break-all';

type Values = Readonly<Record<string, string | null>>;

/** Escapes text for HTML, also within quoted attributes. */
const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);

/** Replaces each placeholder in one pass, so that a placeholder in a value is never replaced. */
const fill = (template: string, values: Values, encode: (value: string) => string = String): string =>
  template.replaceAll(PLACEHOLDER, (_, name: string) => encode(values[name] ?? ''));

/** The template of a mail. The first line of its source is the subject. The paragraphs follow after an empty line. */
export class MailTemplate {
  private readonly subject: string;
  private readonly paragraphs: readonly string[];

  constructor(source: string) {
    const [subject = '', ...lines] = source.split(/\r?\n/);
    this.subject = subject.trim();
    this.paragraphs = lines
      .join('\n')
      .split(/\n\s*\n/)
      .map((paragraph) => paragraph.trim())
      .filter((paragraph) => paragraph !== '');
  }

  /** The reason why the template cannot be used, or null. */
  get fault(): string | null {
    if (this.subject === '') return 'must begin with the subject';
    if (codePointLength(this.subject) > MAX_SUBJECT_LENGTH)
      return `must have a subject of at most ${MAX_SUBJECT_LENGTH} characters`;
    if (this.paragraphs.length === 0) return 'must have text below the subject';
    return unknownName([this.subject, ...this.paragraphs].join('\n'), VALUE_NAMES);
  }

  subjectWith(values: MailValues): string {
    return fill(this.subject, { ...values });
  }

  /** Returns the text part. Omits each paragraph with a value that the mail lacks. */
  textWith(values: MailValues): string {
    return `${this.paragraphsWith(values)
      .map((paragraph) => fill(paragraph, { ...values }))
      .join('\n\n')}\n`;
  }

  /** Returns the same paragraphs as HTML. The line above a link becomes the text of a button. */
  htmlWith(values: MailValues): string {
    return this.paragraphsWith(values)
      .map((paragraph) => `<p>${paragraphHtml(paragraph, { ...values })}</p>`)
      .join('\n');
  }

  private paragraphsWith(values: MailValues): string[] {
    const given: Values = { ...values };
    return this.paragraphs.filter((paragraph) =>
      [...paragraph.matchAll(PLACEHOLDER)].every(([, name = '']) => given[name] !== null),
    );
  }
}

/** An HTML page with placeholders: the layout of every mail, or an operator's page for one mail. */
export class HtmlTemplate {
  constructor(private readonly source: string) {}

  /** Returns the reason why the page cannot be one mail, or null. */
  faultAsMail(): string | null {
    return unknownName(this.source, new Set([...VALUE_NAMES, 'language', 'subject']));
  }

  /** Returns the reason why the page cannot be the layout, or null. */
  faultAsLayout(): string | null {
    if (!this.source.includes('{{content}}')) return 'must contain {{content}}';
    return unknownName(this.source, LAYOUT_NAMES);
  }

  /** Fills the page. @param content HTML, the only value that is not escaped */
  with(values: Values, content = ''): string {
    const [before = '', ...after] = this.source.split('{{content}}');
    return [before, ...after].map((part) => fill(part, values, escapeHtml)).join(content);
  }
}

/** Returns a fault that names the first unknown placeholder, or null. */
function unknownName(source: string, known: ReadonlySet<string>): string | null {
  const unknown = [...source.matchAll(PLACEHOLDER)].find(([, name = '']) => !known.has(name))?.[0];
  if (unknown === undefined) return null;
  return `contains ${unknown}; the values are ${[...known].map((name) => `{{${name}}}`).join(', ')}`;
}

function paragraphHtml(paragraph: string, values: Values): string {
  const parts: string[] = [];
  let above: string[] = [];
  const label = () => above.splice(0).join(' ');
  for (const line of paragraph.split('\n')) {
    const name = LONE.exec(line.trim())?.[1];
    const value = escapeHtml(name === undefined ? '' : (values[name] ?? ''));
    if (name === undefined) above.push(fill(escapeHtml(line.trim()), values, escapeHtml));
    else if (name === 'link')
      parts.push(`<a href="${value}" style="${BUTTON}">${label().replace(/:$/, '') || value}</a>`);
    else if (name === 'token') parts.push(label(), `<code style="${CODE}">${value}</code>`);
    else parts.push(label(), `<a href="${value}">${value}</a>`);
  }
  parts.push(label());
  return parts.filter((part) => part !== '').join('<br />');
}
