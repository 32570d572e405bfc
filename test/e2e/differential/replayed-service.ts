import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Instance } from '../../support/app/instance.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { ADMIN } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { mailsIn, tokenInFolder } from '../../support/builders/mails.js';
import { NOBODY } from '../../support/builders/users.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { METRICS_TOKEN } from './metrics-token.js';
import { type RawAnswer, RawExchange } from './raw-exchange.js';
import { decodedBody, type Exchange, formatExchange, type Recording, titleOf } from './recording.js';
import type { Ask, Capture, Group, SendRaw, Step } from './step.types.js';

type LogLine = Readonly<Record<string, unknown>>;
type Sent = Pick<Exchange, 'ask' | 'answers' | 'closed'>;

const REQUESTS = 'http_requests_total';
const DURATIONS = 'http_request_duration_seconds_count';
const HOST = 'gatehouse.test';
const ANNOUNCED_WITHIN_MS = 10_000;

const ENVIRONMENTS: Readonly<Record<Group['service'], Readonly<Record<string, string>>>> = {
  open: {
    NODE_ENV: 'test',
    CORS_ORIGINS: 'http://localhost:*,https://app.example.com',
    RATE_LIMIT_ANONYMOUS: '100000',
    RATE_LIMIT_AUTHENTICATED: '100000',
    RATE_LIMIT_PREMIUM: '100000',
    RATE_LIMIT_SIGN_IN: '100000',
    BODY_LIMIT_BYTES: '300000',
  },
  strict: {
    METRICS_TOKEN,
    RATE_LIMIT_ANONYMOUS: '3',
    RATE_LIMIT_AUTHENTICATED: '4',
    RATE_LIMIT_PREMIUM: '20',
    RATE_LIMIT_SIGN_IN: '3',
    REQUEST_TIMEOUT_MS: '2500',
    SHUTDOWN_GRACE_MS: '50000',
    SHUTDOWN_DEADLINE_MS: '60000',
  },
};

/** The longest transaction of another test, on the same database server. */
const SENDS_EVENTS = /^GET \/api\/(?:events|users\/[^/]+\/(?:events|data))\b/;
const SETTLED_WITHIN_MS = 60_000;

/** A real process of the service with its own database, to which the steps of groups are sent. */
export class ReplayedService {
  private readonly captured = new Map<string, string>([['nobody', NOBODY]]);
  private connection: RawExchange | null = null;
  private readMails: readonly string[] = [];
  private groups = 0;
  /** The number of requests of this class's own that a group counts as its requests. */
  private probes = 0;
  private readonly knownEntries = new Set<string>();

  private constructor(
    private readonly instance: Instance,
    readonly database: TestDatabase,
    private readonly mailDir: string,
  ) {}

  static async start(service: Group['service']): Promise<ReplayedService> {
    const database = await TestDatabase.create();
    const mailDir = mkdtempSync(join(tmpdir(), 'gatehouse-mail-'));
    const env = {
      LOG_LEVEL: 'info',
      ...database.addresses,
      ADMIN_PASSWORD: ADMIN.password,
      MASTER_KEY,
      MAIL_DIR: mailDir,
      TRUSTED_PROXIES: '127.0.0.1',
      BATCH_CONCURRENCY: '1',
      ...ENVIRONMENTS[service],
    };
    const instance = await (service === 'strict'
      ? Instance.startInProduction({ env })
      : Instance.start({ env }));
    return new ReplayedService(instance, database, mailDir);
  }

  async stop(): Promise<void> {
    this.connection?.end();
    await this.instance.stop('SIGKILL');
    await this.database.drop();
    rmSync(this.mailDir, { recursive: true });
  }

  /** Waits until every event can be read. Until then it waits for older transactions, also those of other tests. */
  private async eventsAreSettled(): Promise<void> {
    const unsettled = 'SELECT 1 FROM events WHERE xid >= pg_snapshot_xmin(pg_current_snapshot()) LIMIT 1';
    const areSettled = async () => (await this.database.query(unsettled)).length === 0;
    await until(areSettled, SETTLED_WITHIN_MS, 'every event settled');
  }

  /** Sends the steps of the group and returns each exchange as text, and what they did to the metrics. */
  async replay({ name, service, steps }: Group): Promise<Recording> {
    await this.eventsAreSettled();
    const before = await this.requestCounts();
    const sent: Sent[] = [];
    for (const step of steps) sent.push(...(await this.take(step)));
    await this.logged();
    const after = await this.requestCounts();
    const own = new Map([
      ['/', 1],
      ['/metrics', 1],
      ['/health/startup', this.probes],
    ]);
    this.probes = 0;
    const audit = await this.newAuditEntries();
    const recording = new Map<string, string>();
    for (const each of sent) {
      const title = titleOf(each.ask);
      if (recording.has(title)) throw new Error(`the group ${name} has two steps titled ${title}`);
      const exchange = { ...each, log: this.logOf(each), audit: auditOf(each, audit) };
      recording.set(title, formatExchange(exchange, this.captured, service === 'strict'));
    }
    return recording.set('metrics', differenceOf(before, after, own).join('\n'));
  }

  /** Reads a document that is too long to record. */
  async read(path: string): Promise<string> {
    const [{ answers }] = (await this.take({ request: `GET ${path}` })) as [Sent];
    return answers.map((answer) => decodedBody(answer).toString()).join('');
  }

  private async take(step: Step): Promise<Sent[]> {
    if ('request' in step) return [await this.ask(step)];
    if ('raw' in step) return [await this.sendRaw(step)];
    if ('lock' in step) return this.askWhileLocked(step.lock, step.asks);
    if ('until' in step) await this.awaitRow(this.filled(step.until));
    else if ('sql' in step) await this.database.query(this.filled(step.sql));
    else if ('mailTo' in step) {
      const token = await tokenInFolder(this.mailDir, step.mailTo, step.subject, this.readMails);
      this.readMails = await mailsIn(this.mailDir);
      this.captured.set(step.name, token);
    } else await this.drain(step.signal);
    return [];
  }

  private async ask(ask: Ask, apart = false): Promise<Sent> {
    const [method = ''] = ask.request.split(' ', 1);
    // Open transactions of other tests hold back the events that such a route sends.
    if (!apart && SENDS_EVENTS.test(ask.request)) await this.eventsAreSettled();
    const connection = apart ? await RawExchange.open(this.instance.url) : await this.openConnection();
    const { head, body } = this.bytesOf(ask);
    const expects = /^expect: 100-continue\r$/im.test(head);
    connection.write(expects ? head : Buffer.concat([Buffer.from(head, 'latin1'), body]));
    const answers = await answersFrom(connection, method, 1);
    if (expects && answers[0]?.statusLine.includes(' 100 ')) {
      connection.write(body);
      answers.push(...(await answersFrom(connection, method, 1)));
    }
    const closed = await closedAsSaid(connection, answers);
    this.capture(ask, answers.at(-1));
    return { ask, answers, closed };
  }

  private async sendRaw(ask: SendRaw): Promise<Sent> {
    const connection = await RawExchange.open(this.instance.url);
    const [method = ''] = ask.raw.split(' ', 1);
    connection.write(Buffer.from(this.filled(ask.raw), 'latin1'));
    const answers = await answersFrom(connection, method, ask.answers ?? 1);
    const closed = await closedAsSaid(connection, answers);
    connection.end();
    return { ask, answers, closed };
  }

  private async askWhileLocked(lock: string, asks: readonly (Ask | SendRaw)[]): Promise<Sent[]> {
    const held = await HeldLock.take(this.database.url, this.filled(lock));
    try {
      return await Promise.all(asks.map((ask) => ('raw' in ask ? this.sendRaw(ask) : this.ask(ask, true))));
    } finally {
      await held.release();
    }
  }

  private async openConnection(): Promise<RawExchange> {
    if (this.connection?.isReusable !== true) {
      this.connection?.end();
      this.connection = await RawExchange.open(this.instance.url);
    }
    return this.connection;
  }

  private bytesOf({ request, as, headers = {}, body }: Ask): { head: string; body: Buffer } {
    const bytes = bodyBytes(body, (text) => this.filled(text));
    const names = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
    const isFramed = names.has('content-length') || names.has('transfer-encoding');
    const lines = [
      `${this.filled(request)} HTTP/1.1`,
      ...(names.has('host') ? [] : [`Host: ${HOST}`]),
      ...(as === undefined ? [] : [`Authorization: Bearer ${this.filled(`<${as}.token>`)}`]),
      ...(body !== undefined && !names.has('content-type') ? ['Content-Type: application/json'] : []),
      ...(body !== undefined && !isFramed ? [`Content-Length: ${bytes.length}`] : []),
      ...Object.entries(headers).flatMap(([name, values]) =>
        [values].flat().map((value) => `${name}: ${this.filled(value)}`),
      ),
    ];
    return { head: `${lines.join('\r\n')}\r\n\r\n`, body: bytes };
  }

  /** Replaces each `<name>` by the captured value. Leaves names alone that no step captures. */
  private filled(text: string): string {
    return text.replace(/<([a-z][\w.]*)>/g, (whole, name: string) => this.captured.get(name) ?? whole);
  }

  private capture({ capture = {}, request }: Ask, answer: RawAnswer | undefined): void {
    for (const [name, from] of Object.entries(capture)) {
      const value = answer && captureFrom(answer, from);
      if (value === undefined) {
        throw new Error(
          `${request} has no ${name}: ${answer?.statusLine} ${answer && decodedBody(answer).toString()}`,
        );
      }
      this.captured.set(name, value);
    }
  }

  private awaitRow(sql: string): Promise<void> {
    return until(async () => (await this.database.query(sql)).length > 0, 20_000, sql);
  }

  private async drain(signal: NodeJS.Signals): Promise<void> {
    this.instance.process.kill(signal);
    const isDraining = async () => {
      const { closed } = await this.ask({ request: 'GET /health/startup' });
      this.probes++;
      return closed !== null;
    };
    await until(isDraining, ANNOUNCED_WITHIN_MS, 'the service announces its stop');
  }

  private lines(): LogLine[] {
    return this.instance.stdout
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as LogLine);
  }

  private logOf(sent: Sent): LogLine[] {
    const ids = new Set(requestIds(sent));
    return this.lines().filter((line) => ids.has(String(line['request_id'])));
  }

  /** Waits until the log has arrived, up to the line of a last request. */
  private async logged(): Promise<void> {
    const id = `differential.last.${++this.groups}`;
    await this.ask({ request: 'GET /', headers: { 'X-Request-Id': id } });
    await this.instance.until(() => this.instance.stdout.includes(id));
  }

  /** Returns the number of requests by the labels of their series, without those of this method. */
  private async requestCounts(): Promise<Map<string, number>> {
    const headers = { Authorization: `Bearer ${METRICS_TOKEN}` };
    const { answers } = await this.ask({ request: 'GET /metrics', headers });
    const text = answers.map((answer) => decodedBody(answer).toString()).join('');
    const samples = text.matchAll(/^(http_\w+?(?:_total|_count)\{.*\}) (\d+)$/gm);
    return new Map([...samples].map(([, series = '', count]) => [series, Number(count)]));
  }

  /** Returns the audit entries that were added since the last call, oldest first. */
  private async newAuditEntries(): Promise<LogLine[]> {
    const added: LogLine[] = [];
    for (let path: string | undefined = '/api/audit?limit=100'; path !== undefined;) {
      const { answers } = await this.ask({ request: `GET ${path}`, as: 'admin' });
      const [answer] = answers as [RawAnswer];
      const entries = JSON.parse(decodedBody(answer).toString()) as LogLine[];
      const fresh = entries.filter(({ id }) => !this.knownEntries.has(String(id)));
      added.push(...fresh);
      const next = captureFrom(answer, { header: 'Link', match: /^<([^>]+)>; rel="next"/ });
      path = fresh.length === entries.length ? next : undefined;
    }
    for (const { id } of added) this.knownEntries.add(String(id));
    const varying = new Set(['id', 'occurred_at']);
    return added
      .toReversed()
      .map((entry) => Object.fromEntries(Object.entries(entry).filter(([name]) => !varying.has(name))));
  }
}

const requestIds = ({ answers }: Sent): string[] =>
  answers.flatMap(({ headers }) =>
    headers.flatMap(([name, value]) => (name.toLowerCase() === 'x-request-id' ? [value] : [])),
  );

function auditOf(sent: Sent, entries: readonly LogLine[]): LogLine[] {
  const ids = new Set(requestIds(sent));
  return entries.filter((entry) => ids.has(String(entry['request_id'])));
}

/** Returns that many responses, or fewer when the service closes the connection before. */
async function answersFrom(connection: RawExchange, method: string, count: number): Promise<RawAnswer[]> {
  const answers: RawAnswer[] = [];
  while (answers.length < count) {
    const answer = await connection.answer(method);
    if (!answer) break;
    answers.push(answer);
  }
  return answers;
}

/** Waits for the end of a connection that the last answer announces. */
async function closedAsSaid(connection: RawExchange, answers: readonly RawAnswer[]): Promise<boolean | null> {
  if (connection.isClosed) return true;
  const last = answers.at(-1);
  const says = last?.headers.some(
    ([name, value]) => name.toLowerCase() === 'connection' && value === 'close',
  );
  return says === true ? connection.closes() : null;
}

function bodyBytes(body: unknown, filled: (text: string) => string): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(filled(typeof body === 'string' ? body : JSON.stringify(body)));
}

function captureFrom(answer: RawAnswer, from: Capture): string | undefined {
  if ('header' in from) {
    const [, value] = answer.headers.find(([name]) => name.toLowerCase() === from.header.toLowerCase()) ?? [];
    return from.match === undefined ? value : from.match.exec(value ?? '')?.[1];
  }
  const text = decodedBody(answer).toString();
  if ('text' in from) return from.text.exec(text)?.[1];
  let found: unknown = JSON.parse(text);
  for (const key of from.body.split('.')) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return typeof found === 'string' ? found : undefined;
}

/**
 * Returns the series that grew, each with its growth.
 * @param own the number of successful requests of the test's own by route, which do not count
 */
function differenceOf(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  own: ReadonlyMap<string, number>,
): string[] {
  const grown = [...after]
    .map(([series, count]) => {
      const [, route = ''] = /\{method="GET",route="([^"]+)",status="200"\}/.exec(series) ?? [];
      return { series, growth: count - (before.get(series) ?? 0) - (own.get(route) ?? 0) };
    })
    .filter(({ growth }) => growth !== 0)
    .map(({ series, growth }) => `${series} +${growth}`)
    .toSorted();
  // The histogram keeps fewer series than the counter, and one that was removed counts from its return on.
  const isSame = [...after].every(([series, count]) => {
    if (!series.startsWith(DURATIONS)) return true;
    return count <= (after.get(REQUESTS + series.slice(DURATIONS.length)) ?? 0);
  });
  return isSame ? [...grown.filter((line) => !line.startsWith(DURATIONS)), `${DURATIONS}: the same`] : grown;
}
