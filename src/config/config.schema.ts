import { availableParallelism } from 'node:os';
import type { z } from 'zod';
import { keyValueList } from './key-value-list.js';
import { logLevels } from './log-levels.js';
import { linkTemplate, productName, sender } from './mail-formats.js';
import { bearerSecret, masterKey, passphrase } from './secret-formats.js';
import {
  ANY_LOCALHOST,
  text,
  oneOf,
  boolean,
  wholeNumber,
  postgresUrl,
  redisUrl,
  smtpUrl,
  httpOrigin,
  httpAddress,
  host,
  share,
  emailAddress,
  password,
  origins,
  networks,
} from './value-formats.js';

/**
 * An environment variable of the service. The table in docs/reference/configuration.md is generated from
 * these, and a contract test compares the two.
 */
export interface Variable<T = unknown> {
  readonly schema: z.ZodType<T>;
  /** The default, spelled as in the environment. Without one the variable may be absent. */
  readonly default?: string;
  /** Replaces `default` when NODE_ENV is `production`. `null` makes the variable required there. */
  readonly production?: string | null;
  /** Marks a secret. It is never shown and can also be read from a file through `<NAME>_FILE`. */
  readonly secret?: true;
  readonly description: string;
}

const row = <T>(variable: Variable<T>): Variable<T> => variable;

export const variables = {
  NODE_ENV: row({
    schema: oneOf('development', 'test', 'production'),
    default: 'development',
    description: 'In `production`, secrets that protect access have no defaults',
  }),
  PORT: row({
    schema: wholeNumber(0, 65535),
    default: '3000',
    description: 'Port to listen on; 0 selects a free port',
  }),
  HOST: row({
    schema: host,
    default: '127.0.0.1',
    description: 'Address to listen on (0.0.0.0 in the image)',
  }),
  HEALTH_PORT: row({
    schema: wholeNumber(1, 65535).optional(),
    description:
      'A second port on `HOST` that serves only `/health*` and `/metrics`. Its own thread responds even when the service is busy',
  }),
  PUBLIC_URL: row({
    schema: httpOrigin,
    default: 'http://localhost:3000',
    description:
      'Address at which clients reach the service, without a path, and the issuer of its tokens. Instances that share a database must use the same value, or they reject the tokens of the others. The default follows `PORT` and `HOST`; in production a missing value logs a warning',
  }),
  DATA_DIR: row({
    schema: text,
    default: '.data',
    description: 'Folder for the embedded database, the generated master key and the erasure log',
  }),
  DATABASE_URL: row({
    schema: postgresUrl.optional(),
    secret: true,
    description:
      'PostgreSQL 16 or newer. `sslmode`, `sslrootcert`, `sslcert` and `sslkey` configure TLS. Without it the service starts an embedded PostgreSQL that stores its data in `DATA_DIR`',
  }),
  MIGRATION_DATABASE_URL: row({
    schema: postgresUrl.optional(),
    secret: true,
    description:
      'The same database under the role that owns its tables, for migrations. Defaults to `DATABASE_URL`',
  }),
  LISTEN_DATABASE_URL: row({
    schema: postgresUrl.optional(),
    secret: true,
    description:
      'The same database without a pooler in between, for notifications and tasks. Defaults to `DATABASE_URL`',
  }),
  DB_POOL_MAX: row({
    schema: wholeNumber(1, 1000),
    default: '10',
    description: 'Maximum number of connections',
  }),
  DB_POOL_MIN: row({
    schema: wholeNumber(0, 1000),
    default: '0',
    description: 'Minimum number of idle connections to keep',
  }),
  DB_PREPARED: row({
    schema: boolean,
    default: 'true',
    description:
      'Uses prepared statements for the most frequent queries. Set `false` behind a pooler without support for them, such as PgBouncer before 1.21',
  }),
  DB_CONNECT_TIMEOUT_MS: row({
    schema: wholeNumber(1, 60_000),
    default: '5000',
    description: 'Maximum wait for a connection, including the wait for a place in the pool',
  }),
  DB_START_TIMEOUT_SECONDS: row({
    schema: wholeNumber(0, 3600),
    default: '60',
    description: 'Maximum time for which a start waits for an unreachable database',
  }),
  DB_IDLE_TIMEOUT_MS: row({
    schema: wholeNumber(1, 86_400_000),
    default: '600000',
    description: 'Time after which an idle connection is closed',
  }),
  DB_MAX_LIFETIME_SECONDS: row({
    schema: wholeNumber(1, 86_400),
    default: '1800',
    description: 'Time after which a connection is replaced',
  }),
  MASTER_KEY: row({
    schema: masterKey.optional(),
    production: null,
    secret: true,
    description:
      '32 random bytes in base64, the key that encrypts every stored secret. Generated in `DATA_DIR` outside production',
  }),
  BACKUP_PASSPHRASE: row({
    schema: passphrase.optional(),
    secret: true,
    description:
      'Passphrase of at least 12 characters that encrypts backups, for `npm run backup` and `npm run restore`. Without it they ask on the terminal. Running instances do not need it',
  }),
  ADMIN_EMAIL: row({
    schema: emailAddress,
    default: 'admin@gatehouse.local',
    description: 'Email address of the first administrator; in production a missing value logs a warning',
  }),
  ADMIN_PASSWORD: row({
    schema: password.optional(),
    secret: true,
    description:
      'Password of the first administrator. Outside production it is generated and shown once; in production the first start requires it',
  }),
  ACCESS_TOKEN_TTL_SECONDS: row({
    schema: wholeNumber(1, 86_400),
    default: '900',
    description: 'Lifetime of an access token',
  }),
  REFRESH_TOKEN_TTL_SECONDS: row({
    schema: wholeNumber(60, 31_536_000),
    default: '2592000',
    description: 'Lifetime of a refresh token, and so of an unused session; every refresh extends it',
  }),
  SESSION_MAX_SECONDS: row({
    schema: wholeNumber(60, 31_536_000),
    default: '7776000',
    description: 'Maximum lifetime of a session, regardless of refreshes',
  }),
  REFRESH_GRACE_SECONDS: row({
    schema: wholeNumber(0, 60),
    default: '10',
    description:
      'Time for which a spent refresh token still returns the same successor; later use counts as theft',
  }),
  PASSWORD_CONCURRENCY: row({
    schema: wholeNumber(1, 64),
    default: String(availableParallelism()),
    description: 'Maximum number of concurrent password hashes (by default one per core)',
  }),
  BATCH_CONCURRENCY: row({
    schema: wholeNumber(1, 50),
    default: '10',
    description:
      'Maximum number of bulk job rows processed concurrently. They use connections in addition to `DB_POOL_MAX`, which are closed when idle',
  }),
  EXPORT_CONCURRENCY: row({
    schema: wholeNumber(1, 10_000),
    default: '128',
    description: 'Maximum number of concurrent exports per instance; further ones get 503',
  }),
  STREAMS_MAX: row({
    schema: wholeNumber(1, 100_000),
    default: '5000',
    description:
      'Maximum number of open event streams per instance, as WebSockets and as server-sent events together; further ones get 503',
  }),
  STREAMS_PER_USER: row({
    schema: wholeNumber(1, 10_000),
    default: '10',
    description: 'Maximum number of open event streams of one user per instance; further ones get 503',
  }),
  AUDIT_RETENTION_MONTHS: row({
    schema: wholeNumber(1, 1200).optional(),
    description:
      'Number of months to keep the audit log. Older months are dropped as a whole after an announcement in the log. Without it nothing is dropped',
  }),
  TRUSTED_PROXIES: row({
    schema: networks,
    default: '',
    description:
      'Addresses or networks (/8 or longer; IPv6: /16) of proxies whose X-Forwarded-For is trusted, separated by commas',
  }),
  RATE_LIMIT_ANONYMOUS: row({
    schema: wholeNumber(0, 1_000_000),
    default: '30',
    description:
      'Requests per minute from one address (IPv6: one /64 network) without a token; 0 disables the limit',
  }),
  RATE_LIMIT_AUTHENTICATED: row({
    schema: wholeNumber(0, 1_000_000),
    default: '100',
    description: 'Requests per minute from one user; 0 disables the limit',
  }),
  RATE_LIMIT_PREMIUM: row({
    schema: wholeNumber(0, 1_000_000),
    default: '1000',
    description: 'Requests per minute from a user with the role `premium` or `admin`; 0 disables the limit',
  }),
  RATE_LIMIT_SIGN_IN: row({
    schema: wholeNumber(0, 1_000_000),
    default: '120',
    description:
      'Requests per minute from one address (IPv6: one /64 network) to sign-in, sign-up, refresh and recovery, with or without a token; 0 disables the limit',
  }),
  RATE_LIMIT_INTROSPECT: row({
    schema: wholeNumber(0, 1_000_000),
    default: '6000',
    description:
      'Requests per minute from one user to `POST /api/auth/introspect`, which count in no other limit; 0 disables the limit',
  }),
  REDIS_URL: row({
    schema: redisUrl.optional(),
    secret: true,
    description:
      'Redis that shares the rate limits and the responses of other systems between instances, and holds the stream of `EVENTS_REDIS_STREAM`. Without it, or while it takes over 20 ms to respond, each instance applies its own limits',
  }),
  EVENTS_REDIS_STREAM: row({
    schema: text.regex(/^[\x21-\x7e]{1,200}$/, 'must be at most 200 visible ASCII characters').optional(),
    description:
      'Redis stream to which the events are sent, as a key in `REDIS_URL`. Without it none are sent',
  }),
  EVENTS_REDIS_PERSONAL_DATA: row({
    schema: boolean,
    default: 'false',
    description:
      'Sends the data of events to the Redis stream too. It holds personal values, which stay there for up to 24 hours after an erasure',
  }),
  CORS_ORIGINS: row({
    schema: origins,
    default: ANY_LOCALHOST,
    production: '',
    description:
      'Origins whose pages may call the API, separated by commas. Outside production, `http://localhost:*` allows every port',
  }),
  BODY_LIMIT_BYTES: row({
    schema: wholeNumber(1024, 104_857_600),
    default: '10485760',
    description: 'Maximum size of a request body; public routes allow at most 100 kB',
  }),
  REQUEST_TIMEOUT_MS: row({
    schema: wholeNumber(100, 600_000),
    default: '30000',
    description: 'Time limit of a request; a longer one gets 504',
  }),
  SMTP_URL: row({
    schema: smtpUrl.optional(),
    secret: true,
    description: 'Mail server, as smtp://user:password@host:port or smtps://',
  }),
  MAIL_DIR: row({
    schema: text.optional(),
    description:
      'Folder for mails without `SMTP_URL`, one `.eml` file each. Defaults to `mail` in `DATA_DIR`',
  }),
  MAIL_FROM: row({
    schema: sender.optional(),
    description:
      'Sender of mails, as an address or as `Name <address>`. Without a name, `PRODUCT_NAME` is the name. Defaults to `no-reply` at the host of `PUBLIC_URL`',
  }),
  PRODUCT_NAME: row({
    schema: productName,
    default: 'Gatehouse',
    description: 'Name of the product in mails. Passwords must not contain it',
  }),
  MAIL_LINK_VERIFY: row({
    schema: linkTemplate.optional(),
    description:
      'Page of the front end that confirms an address, with `{token}` for the code. Without it mails contain only the code',
  }),
  MAIL_LINK_RESET: row({
    schema: linkTemplate.optional(),
    description: 'Page of the front end that sets a new password, with `{token}` for the code',
  }),
  MAIL_LINK_INVITE: row({
    schema: linkTemplate.optional(),
    description:
      'Page of the front end on which an invited user chooses a password, with `{token}` for the code. Defaults to `MAIL_LINK_RESET`',
  }),
  MAIL_TEMPLATES_DIR: row({
    schema: text.optional(),
    description:
      'Folder with templates that replace the shipped mails or add languages; see [Mails](../guides/mails.md). The service does not start with a faulty template',
  }),
  OUTBOUND_ALLOW_PRIVATE: row({
    schema: boolean,
    default: 'false',
    description:
      'Lets the service call private addresses, and `http`, when it calls other systems. Only for a network without anything to protect',
  }),
  PWNED_PASSWORDS_URL: row({
    schema: httpAddress.optional(),
    description:
      'Refuses passwords that are known from breaches. The address of a range service, such as `https://api.pwnedpasswords.com/range`; see [Calls to other systems](../operations/outbound-calls.md#passwords-from-breaches)',
  }),
  LOG_LEVEL: row({
    schema: oneOf(...logLevels),
    default: 'info',
    description: 'Minimum level that is logged',
  }),
  LOG_PRETTY: row({
    schema: boolean,
    default: 'false',
    description:
      'Writes human-readable log lines instead of JSON. Without the development packages the service logs a warning and keeps JSON',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: row({
    schema: httpAddress.optional(),
    description:
      'Address of an OpenTelemetry collector that takes OTLP over HTTP, without `/v1/traces`. Without it nothing is traced; see [Traces](../operations/tracing.md)',
  }),
  OTEL_EXPORTER_OTLP_HEADERS: row({
    schema: keyValueList.optional(),
    secret: true,
    description:
      'Headers of the requests to the collector, such as `authorization=Bearer%20abc`, separated by commas. Values are percent-encoded',
  }),
  OTEL_EXPORTER_OTLP_TIMEOUT: row({
    schema: wholeNumber(1, 600_000),
    default: '10000',
    description: 'Time limit of sending one batch of spans, in milliseconds, with all its attempts',
  }),
  OTEL_SERVICE_NAME: row({
    schema: text,
    default: 'gatehouse',
    description: 'Name of the service in its spans',
  }),
  OTEL_RESOURCE_ATTRIBUTES: row({
    schema: keyValueList.optional(),
    description:
      'Attributes of all spans, such as `deployment.environment.name=production`, separated by commas. Values are percent-encoded',
  }),
  OTEL_TRACES_SAMPLER_ARG: row({
    schema: share,
    default: '0.01',
    description:
      'Share of the traces that begin here and are recorded, from 0 to 1. A caller that sends a `traceparent` decides for its own trace',
  }),
  METRICS_TOKEN: row({
    schema: bearerSecret.optional(),
    production: null,
    secret: true,
    description: 'Bearer token that `/metrics` requires; without it `/metrics` is open',
  }),
  DOCS: row({
    schema: boolean,
    default: 'true',
    production: 'false',
    description: 'Serves `/docs` and `/openapi.json`',
  }),
  SHUTDOWN_GRACE_MS: row({
    schema: wholeNumber(0, 600_000),
    default: '5000',
    description:
      'Time after SIGTERM for which `/health/ready` returns 503 while all other requests are served',
  }),
  SHUTDOWN_IDLE_MS: row({
    schema: wholeNumber(0, 600_000),
    default: '5000',
    description: 'Time after the grace period until a connection that was idle throughout is closed',
  }),
  SHUTDOWN_DEADLINE_MS: row({
    schema: wholeNumber(100, 600_000),
    default: '25000',
    description: 'Time after which a stop is forced',
  }),
} as const;

export type VariableName = keyof typeof variables;
