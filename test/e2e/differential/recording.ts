import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import type { Ask, SendRaw } from './step.types.js';
import { type Captured, Masker, maskHeader, maskLogLine } from './masks.js';
import type { RawAnswer } from './raw-exchange.js';
import type { WantedDifference } from './wanted-differences.js';

/** A request with everything that it caused. */
export interface Exchange {
  readonly ask: Ask | SendRaw;
  readonly answers: readonly RawAnswer[];
  /** Tells whether the service closed the connection; null when it was not expected to. */
  readonly closed: boolean | null;
  readonly log: readonly Readonly<Record<string, unknown>>[];
  readonly audit: readonly Readonly<Record<string, unknown>>[];
}

/** The text of each exchange by its title, in order. */
export type Recording = ReadonlyMap<string, string>;

/** The headers of almost every response. A recording shows only those that are missing. */
const USUAL_HEADERS: readonly string[] = [
  'Access-Control-Expose-Headers: Allow,Content-Disposition,ETag,Idempotency-Replayed,Link,Location,RateLimit,RateLimit-Policy,Retry-After,WWW-Authenticate,X-Export-Cursor,X-Next-Position,X-Request-Id,X-Total-Count,X-Total-Estimate',
  'Connection: keep-alive',
  `Content-Security-Policy: default-src 'none';frame-ancestors 'none'`,
  'Cross-Origin-Opener-Policy: same-origin',
  'Cross-Origin-Resource-Policy: same-origin',
  'Date: <date>',
  'Keep-Alive: timeout=65',
  'Origin-Agent-Cluster: ?1',
  'Referrer-Policy: no-referrer',
  'Strict-Transport-Security: max-age=63072000; includeSubDomains',
  'X-Content-Type-Options: nosniff',
  'X-DNS-Prefetch-Control: off',
  'X-Download-Options: noopen',
  'X-Frame-Options: DENY',
  'X-Permitted-Cross-Domain-Policies: none',
  'X-XSS-Protection: 0',
];

const SEPARATOR = '=== ';
const MAX_SHOWN_INPUT = 400;
const MAX_SHOWN_BODY = 24_000;

export const titleOf = (ask: Ask | SendRaw): string => {
  if ('raw' in ask) return ask.title;
  const by = ask.as === undefined ? '' : ` as ${ask.as}`;
  return `${shortened(ask.request)}${by}${ask.title === undefined ? '' : `: ${ask.title}`}`;
};

/** Reads a recording; an empty one when the file does not exist yet. */
export function readRecording(path: string): Recording {
  if (!existsSync(path)) return new Map();
  const sections = readFileSync(path, 'utf8').split(new RegExp(`^${SEPARATOR}`, 'm'));
  return new Map(
    sections.slice(1).map((section) => {
      const lineEnd = section.indexOf('\n');
      return [section.slice(0, lineEnd), section.slice(lineEnd + 1).trimEnd()];
    }),
  );
}

export const formatRecording = (recording: Recording): string =>
  [...recording].map(([title, text]) => `${SEPARATOR}${title}\n${text}\n`).join('\n');

/**
 * Returns the recording with the wanted differences applied.
 * @param used receives each difference that applies
 */
export function withWantedDifferences(
  recording: Recording,
  group: string,
  differences: readonly WantedDifference[],
  used: Set<WantedDifference>,
): Recording {
  return new Map(
    [...recording].map(([title, text]) => {
      let wanted = text;
      for (const difference of differences) {
        if (!difference.exchanges.test(`${group}: ${title}`)) continue;
        const changed = difference.change(wanted, title);
        if (changed !== wanted) used.add(difference);
        wanted = changed;
      }
      return [title, wanted];
    }),
  );
}

/** Returns the exchange as text with its varying values masked. */
export function formatExchange(exchange: Exchange, captured: Captured, keepsLimits: boolean): string {
  const { ask, answers, closed, log, audit } = exchange;
  const masker = new Masker(captured);
  const method = 'raw' in ask ? (ask.raw.split(' ', 1)[0] ?? '') : (ask.request.split(' ', 1)[0] ?? '');
  const lines = answers.flatMap((answer) => formatAnswer(answer, method, masker, keepsLimits));
  if (closed !== null) lines.push(`(the connection ${closed ? 'closed' : 'stayed open'})`);
  lines.push(...log.map((line) => `log ${masker.text(JSON.stringify(maskLogLine(line)))}`));
  lines.push(...audit.map((entry) => `audit ${masker.text(JSON.stringify(entry))}`));
  const masked = (ask.masks ?? []).reduce(
    (text, [pattern, to]) => text.replace(pattern, to),
    lines.join('\n'),
  );
  return [...formatAsk(ask), masked]
    .join('\n')
    .replace(/[ \t]+$/gm, '')
    .trimEnd();
}

function formatAsk(ask: Ask | SendRaw): string[] {
  if ('raw' in ask)
    return ask.raw.split('\r\n').map((line) => `> ${shortened(JSON.stringify(line).slice(1, -1))}`);
  const headers = Object.entries(ask.headers ?? {}).flatMap(([name, values]) =>
    [values].flat().map((value) => `> ${name}: ${shortened(value)}`),
  );
  if (ask.body === undefined) return headers;
  const { body } = ask;
  const text =
    typeof body === 'string' || Buffer.isBuffer(body) ? body.toString('latin1') : JSON.stringify(body);
  return [...headers, `> ${shortened(JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"'))}`];
}

const shortened = (text: string): string =>
  text.length <= MAX_SHOWN_INPUT ? text : `${text.slice(0, 60)}… (${text.length} characters)`;

function formatAnswer(answer: RawAnswer, method: string, masker: Masker, keepsLimits: boolean): string[] {
  const { statusLine, headers, body, trailers } = answer;
  const fields = headers.map(([name, value]) => {
    const masked = maskHeader({
      name,
      value,
      bodyLength: body.length,
      isHead: method === 'HEAD',
      keepsLimits,
    });
    return `${name}: ${masker.text(masked)}`;
  });
  const missing = USUAL_HEADERS.filter((each) => !fields.includes(each));
  const others = fields.filter((each, at) => !USUAL_HEADERS.includes(each) || fields.indexOf(each) !== at);
  return [
    `< ${statusLine}`,
    ...others.toSorted().map((each) => `< ${each}`),
    ...(missing.length === USUAL_HEADERS.length
      ? ['< without any usual header']
      : missing.map((each) => `< without ${each.split(':', 1)[0]}`)),
    ...formatBody(answer, masker).map((line) => `  ${line}`),
    ...trailers.map(([name, value]) => `< trailer ${name}: ${masker.text(value)}`),
    ...(body.length === 0 ? ['  (no body)'] : []),
  ];
}

/** Returns the masked lines of the decoded body. JSON is indented if it was compact. */
function formatBody(answer: RawAnswer, masker: Masker): string[] {
  const bytes = decodedBody(answer);
  if (bytes.length === 0) return [];
  if (!isUtf8(bytes)) return [digestOf(bytes)];
  const text = bytes.toString('utf8');
  // The values of most metrics depend on time.
  if (text.startsWith('# HELP ')) return text.split('\n').filter((line) => line.startsWith('# '));
  const json = parsed(text);
  const isCompact = json !== undefined && JSON.stringify(json) === text;
  const shown = masker.text(isCompact ? JSON.stringify(json, null, 1) : text);
  return bytes.length < MAX_SHOWN_BODY ? shown.split('\n') : [digestOf(Buffer.from(shown))];
}

const digestOf = (bytes: Buffer): string =>
  `(${bytes.length} bytes, sha256 ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)})`;

/** Returns the body without its content coding. */
export function decodedBody({ headers, body }: RawAnswer): Buffer {
  if (body.length === 0) return body;
  switch (headers.find(([name]) => name.toLowerCase() === 'content-encoding')?.[1]) {
    case 'gzip':
      return gunzipSync(body);
    case 'br':
      return brotliDecompressSync(body);
    case 'deflate':
      return inflateSync(body);
    default:
      return body;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
