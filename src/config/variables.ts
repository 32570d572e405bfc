import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { findCanonicalEmail } from '../common/email-address.js';
import { codePointLength } from '../common/text.js';
import { canonicalNetwork, isHost, isHttpBase, isRedisUrl, isUrl } from './addresses.js';

/**
 * Every environment variable that the service knows, one row each. The table in docs/reference/configuration.md is
 * made from this one, and a contract test compares the two.
 */
export interface Variable<T = unknown> {
  readonly schema: z.ZodType<T>;
  /** In the spelling of the environment; none: the variable may be absent. */
  readonly default?: string;
  /** Replaces `default` when NODE_ENV is `production`. `null`: required there. */
  readonly production?: string | null;
  /** Never shown; may also be given as a file through `<NAME>_FILE`. */
  readonly secret?: true;
  readonly description: string;
}

const text = z.string().min(1, 'must not be empty');
const oneOf = <const Names extends readonly string[]>(...names: Names) =>
  z.enum(names, { error: `must be one of ${names.join(', ')}` });
const boolean = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((value) => value === 'true');

const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`);

const postgresUrl = z
  .string()
  .refine((value) => isUrl(value, ['postgres:', 'postgresql:']), 'must be a postgres:// address');
const redisUrl = z.string().refine(isRedisUrl, 'must be a redis:// address');
const smtpUrl = z.string().refine((value) => isUrl(value, ['smtp:', 'smtps:']), 'must be an smtp:// address');
const httpUrl = z
  .string()
  .refine(isHttpBase, 'must be an http(s):// address without a query')
  .transform((value) => value.replace(/\/+$/, ''));
/** The one entry of `CORS_ORIGINS` that is no exact origin: a development server on any port of this machine. */
export const ANY_LOCALHOST = 'http://localhost:*';
const host = z.string().refine(isHost, 'must be an IP address or a host name');
const emailAddress = z
  .string()
  .refine((value) => findCanonicalEmail(value.trim()) !== null, 'must be an email address');
const password = z.string().refine((value) => {
  const length = codePointLength(value.normalize('NFC'));
  return length >= 8 && length <= 128 && !/\p{Cc}/u.test(value);
}, 'must have 8 to 128 characters, none of them a control character');
const origins = z.string().transform((value, context) => {
  const list = listOf(value);
  for (const origin of list) {
    if (origin === ANY_LOCALHOST) continue;
    // A URL may hold a "*", and no browser ever sends one: such an entry would let nobody in.
    const exact = !origin.includes('*') && isUrl(origin, ['http:', 'https:']);
    if (!exact || new URL(origin).origin !== origin) {
      context.addIssue({
        code: 'custom',
        message: 'must be origins such as https://app.example.com, separated by commas',
      });
    }
  }
  return list;
});
const networks = z.string().transform((value, context) => {
  const list = listOf(value).map(canonicalNetwork);
  if (list.includes(null)) {
    context.addIssue({
      code: 'custom',
      message:
        'must be addresses or networks such as 10.0.0.0/8, separated by commas; a prefix shorter than /8 (IPv6: /16), or one with all of IPv4 in it, would trust everybody',
    });
  }
  return list.filter((network) => network !== null);
});
const SAMPLE = 'must be random: this looks like a sample value';
const PLACEHOLDER =
  /(?:change|replace|insert|fill).{0,6}(?:me|this|it|here)(?![a-z])|placeholder|example|sample|your[-_ ]/i;
const MIN_DISTINCT = 8;

/** Tells whether few values make up the secret, or most of it counts up or down. No random one does. */
function looksLikeSample(secret: Uint8Array): boolean {
  if (new Set(secret).size < MIN_DISTINCT) return true;
  const steps = Array.from(secret.subarray(1), (byte, index) => byte - (secret[index] ?? 0));
  return [1, -1].some((step) => steps.filter((each) => each === step).length > steps.length / 2);
}

const masterKey = z.string().transform((value, context) => {
  const key = Buffer.from(value, 'base64');
  const canonical = key.toString('base64').replace(/=+$/, '') === value.replace(/=+$/, '');
  if (key.length !== 32 || !canonical) {
    context.addIssue({ code: 'custom', message: 'must be 32 bytes in base64 (openssl rand -base64 32)' });
  } else if (looksLikeSample(key)) {
    context.addIssue({ code: 'custom', message: SAMPLE });
  }
  return key;
});

const bearerSecret = z
  .string()
  .min(16, 'must have at least 16 characters')
  .refine(
    (value) => value.length < 16 || !(PLACEHOLDER.test(value) || looksLikeSample(Buffer.from(value))),
    SAMPLE,
  );

const row = <T>(variable: Variable<T>): Variable<T> => variable;

export const variables = {
  NODE_ENV: row({
    schema: oneOf('development', 'test', 'production'),
    default: 'development',
    description: 'In `production` nothing that guards something has a default',
  }),
  PORT: row({
    schema: whole(0, 65535),
    default: '3000',
    description: 'Port to listen on; 0 takes a free one',
  }),
  HOST: row({
    schema: host,
    default: '127.0.0.1',
    description: 'Address to listen on (0.0.0.0 in the image)',
  }),
  HEALTH_PORT: row({
    schema: whole(1, 65535).optional(),
    description:
      'A second port on `HOST`, for `/health*` and `/metrics` alone: a thread of its own answers there, however busy the service is',
  }),
  PUBLIC_URL: row({
    schema: httpUrl,
    default: 'http://localhost:3000',
    description:
      'Address under which clients reach the service; the issuer of its tokens: instances of one database must share it, or they refuse the tokens of each other. By default it follows `PORT` and `HOST`; in production a start without it warns',
  }),
  DATA_DIR: row({
    schema: text,
    default: '.data',
    description: 'Folder of the embedded database, the generated master key, and the log of erasures',
  }),
  DATABASE_URL: row({
    schema: postgresUrl.optional(),
    secret: true,
    description:
      'PostgreSQL 16 or newer, with TLS as `sslmode`, `sslrootcert`, `sslcert` and `sslkey` say. Without it a PostgreSQL of its own is started and kept in `DATA_DIR`',
  }),
  MIGRATION_DATABASE_URL: row({
    schema: postgresUrl.optional(),
    secret: true,
    description: 'The same database as the owner of its tables, for migrations. By default `DATABASE_URL`',
  }),
  LISTEN_DATABASE_URL: row({
    schema: postgresUrl.optional(),
    secret: true,
    description:
      'The same database without a pooler in between, for notifications and jobs. By default `DATABASE_URL`',
  }),
  DB_POOL_MAX: row({ schema: whole(1, 1000), default: '10', description: 'Connections at most' }),
  DB_POOL_MIN: row({ schema: whole(0, 1000), default: '0', description: 'Idle connections that are kept' }),
  DB_PREPARED: row({
    schema: boolean,
    default: 'true',
    description:
      'Connections keep the most frequent statements parsed and planned. `false` before a pooler that knows no prepared statements, such as PgBouncer before 1.21',
  }),
  DB_CONNECT_TIMEOUT_MS: row({
    schema: whole(1, 60_000),
    default: '5000',
    description: 'Longest wait for a connection, a place in the pool included',
  }),
  DB_START_TIMEOUT_SECONDS: row({
    schema: whole(0, 3600),
    default: '60',
    description: 'A start waits this long for a database that is away',
  }),
  DB_IDLE_TIMEOUT_MS: row({
    schema: whole(1, 86_400_000),
    default: '600000',
    description: 'An idle connection is closed after this',
  }),
  DB_MAX_LIFETIME_SECONDS: row({
    schema: whole(1, 86_400),
    default: '1800',
    description: 'A connection is replaced after this',
  }),
  MASTER_KEY: row({
    schema: masterKey.optional(),
    production: null,
    secret: true,
    description:
      '32 random bytes in base64 that seal every stored secret. Generated in `DATA_DIR` outside production',
  }),
  ADMIN_EMAIL: row({
    schema: emailAddress,
    default: 'admin@gatehouse.local',
    description: 'Address of the first administrator; in production a start without it warns',
  }),
  ADMIN_PASSWORD: row({
    schema: password.optional(),
    secret: true,
    description:
      'Password of the first administrator. Generated and shown once outside production; in production the first start needs it',
  }),
  ACCESS_TOKEN_TTL_SECONDS: row({
    schema: whole(1, 86_400),
    default: '900',
    description: 'Life of an access token',
  }),
  REFRESH_TOKEN_TTL_SECONDS: row({
    schema: whole(60, 31_536_000),
    default: '2592000',
    description: 'Life of a refresh token, and so of a session that nobody uses; slides with every refresh',
  }),
  SESSION_MAX_SECONDS: row({
    schema: whole(60, 31_536_000),
    default: '7776000',
    description: 'Life of a session, however often it is refreshed',
  }),
  REFRESH_GRACE_SECONDS: row({
    schema: whole(0, 60),
    default: '10',
    description:
      'A spent refresh token presented again within this gives the same successor; later it is a theft',
  }),
  PASSWORD_CONCURRENCY: row({
    schema: whole(1, 64),
    default: String(availableParallelism()),
    description: 'Password hashes computed at once (by default one for each core)',
  }),
  BATCH_CONCURRENCY: row({
    schema: whole(1, 50),
    default: '10',
    description:
      'Rows of bulk jobs done at once, over connections of their own besides `DB_POOL_MAX`, which are closed when idle',
  }),
  EXPORT_CONCURRENCY: row({
    schema: whole(1, 10_000),
    default: '128',
    description: 'Exports that one instance sends at once; past it 503',
  }),
  AUDIT_RETENTION_MONTHS: row({
    schema: whole(1, 1200).optional(),
    description:
      'Months for which the audit trail is kept; older ones are dropped whole, and announced in the trail before. Without it none ever is',
  }),
  TRUSTED_PROXIES: row({
    schema: networks,
    default: '',
    description:
      'Addresses or networks (/8 or longer; IPv6: /16) of proxies whose X-Forwarded-For is believed, separated by commas',
  }),
  RATE_LIMIT_ANONYMOUS: row({
    schema: whole(0, 1_000_000),
    default: '30',
    description: 'Requests a minute from one address (IPv6: one /64 network) without a token; 0 is off',
  }),
  RATE_LIMIT_AUTHENTICATED: row({
    schema: whole(0, 1_000_000),
    default: '100',
    description: 'Requests a minute of one account; 0 is off',
  }),
  RATE_LIMIT_PREMIUM: row({
    schema: whole(0, 1_000_000),
    default: '1000',
    description: 'The same for accounts with the role `premium` or `admin`; 0 is off',
  }),
  RATE_LIMIT_SIGN_IN: row({
    schema: whole(0, 1_000_000),
    default: '120',
    description:
      'Requests a minute from one address (IPv6: one /64 network) to sign-in, sign-up, refresh and recovery, with or without a token; 0 is off',
  }),
  REDIS_URL: row({
    schema: redisUrl.optional(),
    secret: true,
    description:
      'Redis that shares the rate limits between instances; without it, and while it does not answer within 20 ms, each limits on its own',
  }),
  CORS_ORIGINS: row({
    schema: origins,
    default: ANY_LOCALHOST,
    production: '',
    description:
      'Origins whose pages may call the API, separated by commas. Outside production `http://localhost:*` stands for every port',
  }),
  BODY_LIMIT_BYTES: row({
    schema: whole(1024, 104_857_600),
    default: '10485760',
    description: 'Largest request body; on public routes at most 100 kB',
  }),
  REQUEST_TIMEOUT_MS: row({
    schema: whole(100, 600_000),
    default: '30000',
    description: 'A request that takes longer is answered 504',
  }),
  SMTP_URL: row({
    schema: smtpUrl.optional(),
    secret: true,
    description: 'Mail server, as smtp://user:password@host:port or smtps://',
  }),
  MAIL_DIR: row({
    schema: text.optional(),
    description: 'Without `SMTP_URL`: folder for mails, one `.eml` each. By default `mail` in `DATA_DIR`',
  }),
  LOG_LEVEL: row({
    schema: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    default: 'info',
    description: 'Least severe level that is logged',
  }),
  LOG_PRETTY: row({
    schema: boolean,
    default: 'false',
    description:
      'Log lines for people instead of JSON. Without the development packages a warning says that they stay JSON',
  }),
  METRICS_TOKEN: row({
    schema: bearerSecret.optional(),
    production: null,
    secret: true,
    description: 'Bearer token that `/metrics` asks for; none: open',
  }),
  DOCS: row({
    schema: boolean,
    default: 'true',
    production: 'false',
    description: 'Serves `/docs` and `/openapi.json`',
  }),
  SHUTDOWN_GRACE_MS: row({
    schema: whole(0, 600_000),
    default: '5000',
    description: 'From SIGTERM on, `/health/ready` is 503 and everything else is served for this long',
  }),
  SHUTDOWN_IDLE_MS: row({
    schema: whole(0, 600_000),
    default: '5000',
    description:
      'After the grace period, a connection that was silent throughout is closed when it stays silent for this long',
  }),
  SHUTDOWN_DEADLINE_MS: row({
    schema: whole(100, 600_000),
    default: '25000',
    description: 'The stop is forced after this',
  }),
} as const;

export type VariableName = keyof typeof variables;

const listOf = (value: string): string[] =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
