import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canonicalLocale } from '../../common/locale.js';
import { ConfigError } from '../../config/config.js';
import { HtmlTemplate, MailTemplate, mailTemplateNames } from './mail-template.js';

/** The maximum size of a template in bytes. Every queued mail holds a filled copy. */
const MAX_TEMPLATE_BYTES = 65_536;
const MAX_LANGUAGES = 100;
const LAYOUT = 'layout.html';
const SHIPPED = fileURLToPath(new URL('./templates/', import.meta.url));

const names: readonly string[] = mailTemplateNames;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Templates by their path in the folder, such as `de/invitation.txt`. */
export type TemplateFiles = ReadonlyMap<string, string>;

export interface ReadTemplates {
  readonly files: TemplateFiles;
  readonly languages: readonly string[];
  /** All reasons why the folder cannot be used, each beginning with the path of a file. */
  readonly faults: readonly string[];
}

/**
 * Reads the shipped templates, and those of the operator in `own` that replace them or add languages.
 * @throws ConfigError that names every faulty file
 */
export function loadTemplates(own: string | undefined): Omit<ReadTemplates, 'faults'> {
  const shipped = readTemplates(SHIPPED);
  const added = own === undefined ? null : readTemplates(own);
  const files = new Map([...shipped.files, ...(added?.files ?? [])]);
  const lonePages = [...files.keys()]
    .filter((path) => path !== LAYOUT && path.endsWith('.html'))
    .map((path) => ({ path, text: path.replace(/html$/, 'txt') }))
    .filter(({ text }) => !files.has(text))
    .map(({ path, text }) => `${path} needs ${text} beside it`);
  const faults = [...(added?.faults ?? []), ...lonePages];
  if (faults.length > 0) throw new ConfigError(faults.map((fault) => `MAIL_TEMPLATES_DIR: ${fault}`));
  return { files, languages: [...new Set([...shipped.languages, ...(added?.languages ?? [])])] };
}

/** Reads a folder that holds `layout.html` and one folder per language. Ignores files whose names begin with a dot. */
export function readTemplates(folder: string): ReadTemplates {
  const files = new Map<string, string>();
  const languages: string[] = [];
  const faults: string[] = [];
  const add = (path: string): void => {
    const read = readTemplate(folder, path);
    if ('fault' in read) faults.push(`${path} ${read.fault}`);
    else files.set(path, read.text);
  };
  for (const entry of entriesOf(folder, '', faults)) {
    if (entry === LAYOUT) add(entry);
    else if (canonicalLocale(entry) !== entry)
      faults.push(
        `${entry} must be ${LAYOUT} or a folder that is named after a language, such as de or pt-BR`,
      );
    else if (languages.length === MAX_LANGUAGES) faults.push(`${entry} exceeds ${MAX_LANGUAGES} languages`);
    else {
      languages.push(entry);
      for (const file of entriesOf(folder, entry, faults)) add(`${entry}/${file}`);
    }
  }
  return { files, languages, faults };
}

function entriesOf(folder: string, within: string, faults: string[]): string[] {
  try {
    return readdirSync(join(folder, within)).filter((entry) => !entry.startsWith('.'));
  } catch (error) {
    faults.push(`${within || folder} cannot be read as a folder (${(error as NodeJS.ErrnoException).code})`);
    return [];
  }
}

function readTemplate(folder: string, path: string): { readonly text: string } | { readonly fault: string } {
  const file = path.slice(path.indexOf('/') + 1);
  const name = /^(.+)\.(?:txt|html)$/.exec(file)?.[1] ?? '';
  if (path !== LAYOUT && !names.includes(name))
    return { fault: `must be named after a mail, as .txt or .html: ${names.join(', ')}` };
  let text: string;
  try {
    const { size } = statSync(join(folder, path));
    if (size > MAX_TEMPLATE_BYTES) return { fault: `must have at most ${MAX_TEMPLATE_BYTES} bytes` };
    text = utf8.decode(readFileSync(join(folder, path)));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'not UTF-8';
    return { fault: `cannot be read (${code})` };
  }
  const fault = faultOf(path, text);
  return fault === null ? { text } : { fault };
}

function faultOf(path: string, text: string): string | null {
  if (path === LAYOUT) return new HtmlTemplate(text).faultAsLayout();
  return path.endsWith('.html') ? new HtmlTemplate(text).faultAsMail() : new MailTemplate(text).fault;
}
