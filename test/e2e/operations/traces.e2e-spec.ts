import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Instance } from '../../support/app/instance.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { ADMIN, PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { jobEnded } from '../../support/builders/jobs.js';
import { mailTo, tokenIn } from '../../support/builders/mails.js';
import { createWebhook, Receiver, type WebhookBody } from '../../support/builders/webhooks.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { OtlpReceiver, type ReceivedSpan } from '../../support/http/otlp-receiver.js';

const CALLER_SPAN = '00f067aa0ba902b7';
const newTraceId = (): string => randomBytes(16).toString('hex');
const sampled = (traceId: string): string => `00-${traceId}-${CALLER_SPAN}-01`;
const HEADER_SECRET = 'secret-of-the-collector';

let collector: OtlpReceiver;
let receiver: Receiver;
let app: TestApp;
let webhook: WebhookBody;

// Records no trace that begins here, and those whose callers do.
beforeAll(async () => {
  collector = await OtlpReceiver.open();
  receiver = await Receiver.open();
  app = await TestApp.create({
    config: {
      OUTBOUND_ALLOW_PRIVATE: true,
      // The rows of different jobs take turns.
      BATCH_CONCURRENCY: 1,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: { authorization: `Bearer ${HEADER_SECRET}` },
      OTEL_EXPORTER_OTLP_TIMEOUT: 500,
      OTEL_RESOURCE_ATTRIBUTES: { 'deployment.environment.name': 'tests' },
      OTEL_TRACES_SAMPLER_ARG: 0,
    },
  });
  webhook = await createWebhook(app, `${receiver.url}?key=hidden-query`, ['user.created']);
});
afterAll(async () => {
  await app?.close();
  await receiver?.close();
  await collector?.close();
});

let people = 0;
const newPerson = () => ({
  email: `traced-${++people}@hidden.example`,
  name: 'Ada Untold',
  password: PASSWORD,
});

async function signUp(traceparent: string | null, person = newPerson()): Promise<string> {
  const answer = await app
    .request('post', '/api/users')
    .set(traceparent === null ? {} : { traceparent })
    .set('User-Agent', 'Hidden/1.0')
    .send(person);
  expect(answer.status).toBe(201);
  return (answer.body as { id: string }).id;
}

/** Waits for the delivery of the event about a user. */
async function delivered(id: string) {
  await until(() => receiver.about(id).length > 0, 30_000, 'a delivery');
  const request = receiver.requests.find(({ event }) => event.subject === id);
  if (!request) throw new Error('nothing was delivered');
  return request;
}

const traceIdsInAudit = async (id: string): Promise<(string | null)[]> => {
  const rows = await app.database.query<{ trace_id: string | null }>(
    `SELECT DISTINCT trace_id FROM audit_entries WHERE action = 'user.create' AND target_id = '${id}'`,
  );
  return rows.map((row) => row.trace_id);
};

describe('a request whose caller records its trace', () => {
  const traceId = newTraceId();
  const person = newPerson();
  let spans: ReceivedSpan[];
  let id: string;
  const named = (name: string): ReceivedSpan => {
    const span = spans.find((each) => each.name === name);
    if (!span) throw new Error(`no span is named ${name}`);
    return span;
  };
  const parentOf = (span: ReceivedSpan) => spans.find((each) => each.spanId === span.parentSpanId)?.name;

  beforeAll(async () => {
    id = await signUp(sampled(traceId), person);
    await delivered(id);
    await mailTo(app, person.email, /./);
    spans = await collector.holds(traceId, [
      'POST /api/users',
      'command CreateUser',
      'event user.created',
      'INSERT users',
      'deliver user.created',
      'process mail.send',
      'send mail',
    ]);
  });

  it('has the whole path in one tree below the span of the caller', () => {
    const ids = new Set(spans.map(({ spanId }) => spanId));
    const roots = spans.filter(({ parentSpanId }) => parentSpanId === null || !ids.has(parentSpanId));
    expect(roots.map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual([
      ['POST /api/users', CALLER_SPAN],
    ]);
    const parents = Object.fromEntries(
      [
        'command CreateUser',
        'event user.created',
        'deliver user.created',
        'process mail.send',
        'send mail',
      ].map((name) => [name, parentOf(named(name))]),
    );
    expect(parents).toEqual({
      'command CreateUser': 'POST /api/users',
      'event user.created': 'command CreateUser',
      'deliver user.created': 'command CreateUser',
      'process mail.send': 'event user.created',
      'send mail': 'process mail.send',
    });
  });

  it('describes the request by its route', () => {
    expect(named('POST /api/users')).toMatchObject({
      kind: 2,
      failed: false,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/api/users',
        'http.response.status_code': 201,
        'url.path': '/api/users',
        'url.scheme': 'http',
      },
      resource: {
        'service.name': 'gatehouse',
        'deployment.environment.name': 'tests',
      },
    });
  });

  it('passes the trace on to the receiver of the webhook', async () => {
    const attempt = spans.find((span) => span.name === 'POST' && parentOf(span) === 'deliver user.created');
    expect((await delivered(id)).headers['traceparent']).toBe(`00-${traceId}-${attempt?.spanId}-01`);
    expect(attempt).toMatchObject({
      kind: 3,
      attributes: { 'server.address': '127.0.0.1', 'http.response.status_code': 204 },
    });
  });

  it('shows the statements without values', () => {
    const statements = spans.filter(({ attributes }) => attributes['db.system.name'] === 'postgresql');
    expect(statements.length).toBeGreaterThan(1);
    for (const { attributes } of statements) expect(attributes['db.query.text']).not.toMatch(/'[^?']+'/);
    const insert = named('INSERT users');
    expect(insert.attributes['db.query.text']).toMatch(/INSERT INTO "?users"?.*\$1/);
    expect(parentOf(insert)).toBe('command CreateUser');
  });

  it('is named by the audit log', async () => {
    expect(await traceIdsInAudit(id)).toEqual([traceId]);
  });
});

describe('jobs', () => {
  const disable = async (traceId: string, ids: readonly string[]): Promise<string> => {
    const answer = await app
      .as(app.admin, 'post', '/api/users/batch')
      .set('traceparent', sampled(traceId))
      .send({ action: 'disable', user_ids: ids });
    expect(answer.status).toBe(202);
    return (answer.body as { id: string }).id;
  };

  it('belong each to the trace of its own request, with the audit entries of their rows', async () => {
    const ids = [await signUp(null), await signUp(null), await signUp(null), await signUp(null)];
    const traceIds = [newTraceId(), newTraceId()];
    const jobs = await Promise.all(
      traceIds.map((each, job) => disable(each, ids.slice(2 * job, 2 * job + 2))),
    );
    for (const [index, traceId] of traceIds.entries()) {
      const id = String(jobs[index]);
      await jobEnded(app, id);
      const spans = await collector.holds(traceId, ['job users.disable', 'command UpdateUser']);
      const job = spans.find(({ name }) => name === 'job users.disable');
      expect(job?.attributes).toEqual({ 'gatehouse.job.id': id });
      const commands = () => collector.spansOf(traceId).filter(({ name }) => name === 'command UpdateUser');
      await until(() => commands().length === 2);
      expect(commands().map(({ parentSpanId }) => parentSpanId)).toEqual([job?.spanId, job?.spanId]);
      const entries = await app.database.query<{ trace_id: string | null }>(
        `SELECT trace_id FROM audit_entries WHERE action = 'user.disable' AND request_id = '${id}'`,
      );
      expect(entries).toEqual([{ trace_id: traceId }, { trace_id: traceId }]);
    }
  });
});

describe('a request whose trace is not recorded', () => {
  it.each([
    ['that begins a trace', null],
    ['whose caller does not record it', `00-${'7'.repeat(32)}-${CALLER_SPAN}-00`],
  ])('%s leaves no span, and what it causes says so', async (_, traceparent) => {
    const id = await signUp(traceparent);
    const { headers } = await delivered(id);
    const [, traceId = ''] = /^00-([0-9a-f]{32})-[0-9a-f]{16}-00$/.exec(String(headers['traceparent'])) ?? [];
    expect(await traceIdsInAudit(id)).toEqual([traceId]);
    if (traceparent !== null) expect(traceId).toBe('7'.repeat(32));
    // Spans arrive in their order, so none of an earlier request comes after these.
    const later = newTraceId();
    await signUp(sampled(later));
    await collector.holds(later, ['POST /api/users', 'send mail']);
    expect(collector.spansOf(traceId)).toEqual([]);
  });
});

describe('what the collector gets', () => {
  it('holds no value of a parameter, an address, a password or a token', async () => {
    const person = newPerson();
    const traceId = newTraceId();
    const traced = { traceparent: sampled(traceId) };
    await signUp(sampled(traceId), person);
    const code = tokenIn((await mailTo(app, person.email, /./)).text);
    await app.request('post', '/api/auth/email/verify').set(traced).send({ token: code }).expect(204);
    await app.as(app.admin, 'get', '/api/users?search=hidden-query').set(traced).expect(200);
    // Clients put addresses into paths by mistake, and a statement fails with the address in its message.
    await app.as(app.admin, 'get', `/api/users/${person.email}`).set(traced).expect(400);
    await app.request('post', '/api/users').set(traced).send(person).expect(409);
    await collector.holds(traceId, [
      'GET /api/users',
      'GET /api/users/:id',
      'POST /api/auth/email/verify',
      'send mail',
    ]);
    const signUps = () => collector.spansOf(traceId).filter(({ name }) => name === 'POST /api/users');
    await until(() => signUps().length === 2);
    const sent = collector.bodies.join('').toLowerCase();
    expect(sent).toContain('deliver user.created');
    const secrets = [person.email, person.name, person.password, code, HEADER_SECRET, webhook.secret];
    secrets.push(app.admin.email, ...app.admin.token.split('.'), 'hidden', 'untold');
    expect(secrets.filter((secret) => sent.includes(secret.toLowerCase()))).toEqual([]);
  });

  it('is authorized by the configured headers', () => {
    expect(new Set(collector.headers.map(({ authorization }) => authorization))).toEqual(
      new Set([`Bearer ${HEADER_SECRET}`]),
    );
  });
});

describe('a collector that is gone', () => {
  it('disturbs no request, and gets the later spans once it is back', async () => {
    await collector.close();
    try {
      const dropped = async (): Promise<number> => {
        const { text } = await app.request('get', '/metrics').expect(200);
        return Number(/^otel_spans_dropped_total (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
      };
      const before = await dropped();
      await signUp(sampled(newTraceId()));
      await until(async () => (await dropped()) > before, 30_000, 'dropped spans are counted');
      await signUp(sampled(newTraceId()));
    } finally {
      await collector.listen();
    }
    const traceId = newTraceId();
    await signUp(sampled(traceId));
    await collector.holds(traceId, ['POST /api/users']);
  });
});

type Line = Readonly<Record<string, unknown>>;

describe('a process that traces everything', () => {
  let database: TestDatabase;
  let instance: Instance | undefined;
  let late: OtlpReceiver;
  beforeAll(async () => {
    database = await TestDatabase.create();
    late = await OtlpReceiver.open();
    await late.close();
    instance = await Instance.start({
      env: {
        ...database.addresses,
        MASTER_KEY,
        ADMIN_PASSWORD: ADMIN.password,
        LOG_LEVEL: 'info',
        SHUTDOWN_GRACE_MS: '0',
        OTEL_EXPORTER_OTLP_ENDPOINT: late.url,
        OTEL_EXPORTER_OTLP_TIMEOUT: '200',
        OTEL_TRACES_SAMPLER_ARG: '1',
      },
    });
  });
  afterAll(async () => {
    await instance?.stop('SIGKILL');
    await late?.close();
    await database?.drop();
  });

  it('warns once of a collector that is gone, names the trace in each line, and sends the last spans at its stop', async () => {
    if (!instance) throw new Error('the instance did not start');
    const { stdout, url } = instance;
    expect(stdout).not.toContain('OTEL_EXPORTER_OTLP_ENDPOINT');
    const { token } = await signIn(url, ADMIN.email, ADMIN.password);
    const lines = (): Line[] =>
      (instance?.stdout ?? '')
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Line);
    const warnings = () => lines().filter(({ msg }) => String(msg).includes('OTEL_EXPORTER_OTLP_ENDPOINT'));
    const dropped = async (): Promise<number> => {
      const answer = await fetch(`${url}/metrics`);
      return Number(/^otel_spans_dropped_total (\d+)$/m.exec(await answer.text())?.[1]);
    };
    const me = () => fetch(`${url}/api/users/me`, { headers: { authorization: `Bearer ${token}` } });
    // Two batches are lost.
    for (let batch = 0; batch < 2; batch++) {
      const before = await dropped();
      expect((await me()).status).toBe(200);
      await instance.until(async () => (await dropped()) > before);
    }
    expect(warnings()).toEqual([
      expect.objectContaining({
        level: 'warn',
        msg: expect.stringMatching(/spans are dropped.*the connection was refused/),
      }),
    ]);
    await late.listen();
    expect((await me()).status).toBe(200);
    expect(await instance.stop('SIGTERM')).toBe(0);
    const requests = lines().filter(({ msg }) => msg === 'request');
    const last = requests.at(-1);
    expect(requests.map((line) => line['trace_id'])).toEqual(
      requests.map(() => expect.stringMatching(/^[0-9a-f]{32}$/)),
    );
    expect(late.spans.map(({ traceId, name }) => [traceId, name])).toContainEqual([
      last?.['trace_id'],
      'GET /api/users/me',
    ]);
  });
});
