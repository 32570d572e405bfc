/** The values that earlier steps captured, by name. */
export type Captured = ReadonlyMap<string, string>;

/**
 * Values that differ between two runs. Each one that is numbered gets the same placeholder wherever it occurs
 * in the exchange.
 */
const VARYING: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, 'jwt'],
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'uuid'],
  [/(?<!\d)\d{43}(?!\d)/g, 'position'],
  [/(?<![\w-])[\w-]{86}(?![\w-])/g, 'signature'],
  [/(?<![\w-])[\w-]{43}(?![\w-])/g, 'key'],
];
/** Values that another build or machine decides, and the time of a sign-in, which a background task stores. */
const REPLACED: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g, '<hash>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, '<time>'],
  [/("last_login_at": ?)(?:null|"<time>")/g, '$1<login>'],
  [/(\.\d+\.\d+\.)[\w-]{24}(?![\w-])/g, '$1<mac>'],
  [/("commit": ?)"(?:[0-9a-f]{40}(?:-dirty)?|unknown)"/, '$1<commit>'],
  [/("schema": ?)"\d{13}"/g, '$1<schema>'],
  [/("responseTime": ?)\d+/g, '$1<ms>'],
  // The address beside the id of an actor or a target.
  [/("email": ?)(?:null|"[^"]*")(?=\s*\},\s*"(?:action|outcome)":)/g, '$1<address>'],
];
/** The encoded form of an audit entry, in which parts could look like other values. */
const LEAF = /("leaf_data": ?)"[\w+/=]+"/;
/** A value shorter than this could occur in an answer by chance. */
const MIN_CAPTURED_LENGTH = 8;

/** Masks the values of one exchange. */
export class Masker {
  private readonly seen = new Map<string, string>();
  private readonly counts = new Map<string, number>();
  private readonly captured: readonly (readonly [name: string, value: string])[];

  constructor(captured: Captured) {
    this.captured = [...captured]
      .filter(([, value]) => value.length >= MIN_CAPTURED_LENGTH)
      .toSorted(([, a], [, b]) => b.length - a.length);
  }

  /** Masks ids, tokens, positions, hashes and times in any text. */
  text(text: string): string {
    let masked = text.replace(LEAF, '$1<leaf>');
    for (const [name, value] of this.captured) masked = masked.replaceAll(value, `<${name}>`);
    for (const [pattern, name] of VARYING)
      masked = masked.replace(pattern, (value) => this.placeholder(name, value));
    return REPLACED.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), masked);
  }

  private placeholder(name: string, value: string): string {
    const known = this.seen.get(value);
    if (known !== undefined) return known;
    const count = (this.counts.get(name) ?? 0) + 1;
    this.counts.set(name, count);
    const made = `<${name}:${count}>`;
    this.seen.set(value, made);
    return made;
  }
}

/** The ETag of a file: its size, and the time at which its package was installed. */
const FILE_ETAG = /^(W\/"[0-9a-f]+-)[0-9a-f]{11}"$/;
const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/;

/** The properties of an exchange on which the masks of its headers depend. */
export interface MaskedHeader {
  readonly name: string;
  readonly value: string;
  readonly bodyLength: number;
  readonly isHead: boolean;
  /** Keeps the number of requests left in a rate limit, which only a short group can know. */
  readonly keepsLimits: boolean;
}

/** Masks the value of a header that depends on time, on load or on the length of a masked body. */
export function maskHeader({ name, value, bodyLength, isHead, keepsLimits }: MaskedHeader): string {
  switch (name.toLowerCase()) {
    case 'date':
    // Only the files of Swagger UI have one.
    case 'last-modified':
      return HTTP_DATE.test(value) ? '<date>' : value;
    case 'etag':
      return value.replace(FILE_ETAG, '$1<mtime>"');
    case 'content-length':
      // The uptime and the time in a report of the health differ in length.
      if (isHead) return value.replace(/^\d+$/, '<length>');
      return value === String(bodyLength) ? '<length of the body>' : value;
    case 'ratelimit': {
      const timed = value.replace(/;t=(?:[1-5]?\d|60)$/, ';t=<seconds>');
      return keepsLimits ? timed : timed.replace(/;r=\d+;/, ';r=<left>;');
    }
    case 'retry-after':
      return /^(?:[1-5]\d|60)$/.test(value) ? '<seconds>' : value;
    case 'x-export-cursor':
      return value.replace(/^[\w.-]{20,}$/, '<export cursor>');
    case 'x-next-position':
      return value.replace(/^\d{43}$/, '<next position>');
    case 'link':
      return value.replace(/([?&]cursor=)[\w.%-]{20,}/, '$1<cursor>');
    default:
      return value;
  }
}

/** The fields of a log line that differ between runs or between machines. */
const DROPPED_FIELDS: ReadonlySet<string> = new Set(['time', 'pid', 'hostname']);

/** Masks the parsed line of a log, whose fields have no order. */
export function maskLogLine(line: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(line)
      .filter(([name]) => !DROPPED_FIELDS.has(name))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, maskLogField(name, value)]),
  );
}

function maskLogField(name: string, value: unknown): unknown {
  if (typeof value === 'number' && name.endsWith('_ms')) return '<ms>';
  // The frames name the lines of the sources.
  if (name === 'stack' && typeof value === 'string') return value.split('\n', 1)[0];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]): [string, unknown] => [key, maskLogField(key, each)]),
  );
}
