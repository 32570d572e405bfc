import { afterEach, describe, expect, it } from '@jest/globals';
import { Gatehouse, type GatehouseError, memoryStore, type TransportOptions } from '../src/index.js';
import { type Answer, refuse, ScriptedServer, sendJson } from './scripted-server.js';

let server: ScriptedServer;
afterEach(() => server.stop());

async function start(answer: Answer, options: TransportOptions = {}): Promise<Gatehouse> {
  server = await ScriptedServer.start(answer);
  return new Gatehouse({ baseUrl: server.url, ...options });
}

/** Returns the error with which a call fails. */
async function errorFrom(call: Promise<unknown>): Promise<GatehouseError> {
  const error: unknown = await call.then(
    () => 'it succeeded',
    (thrown: unknown) => thrown,
  );
  return error as GatehouseError;
}

const keys = () => server.requests.map(({ headers }) => headers['idempotency-key']);
const newResource = { body: { type: 'project', name: 'Engine' } };

describe('an idempotency key', () => {
  it('is sent with every POST, and is another one each time', async () => {
    const { api } = await start((_, response) => sendJson(response, 201, { id: '1' }));
    await api.createResource(newResource);
    await api.createResource(newResource);
    expect(keys()).toEqual([
      expect.stringMatching(/^[0-9a-f]{32}$/),
      expect.stringMatching(/^[0-9a-f]{32}$/),
    ]);
    expect(new Set(keys()).size).toBe(2);
  });

  it('stays the same when the request is repeated after a lost connection', async () => {
    const { api } = await start((_, response, count) =>
      count === 0 ? response.destroy() : sendJson(response, 201, { id: '1' }),
    );
    const { data } = await api.createResource(newResource);
    expect(data.id).toBe('1');
    expect(server.requests.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
      newResource.body,
      newResource.body,
    ]);
    expect(new Set(keys()).size).toBe(1);
  });

  it('is the one of the caller if there is one', async () => {
    const { api } = await start((_, response) => sendJson(response, 201, { id: '1' }));
    await api.createResource({ ...newResource, headers: { 'Idempotency-Key': 'mine' } });
    expect(keys()).toEqual(['mine']);
  });

  it('is not sent where the service ignores it', async () => {
    const { api } = await start((_, response) => response.writeHead(202).end());
    await api.forgotPassword({ body: { email: 'ada@example.com' } });
    expect(keys()).toEqual([undefined]);
  });

  it('waits for the first attempt, which may still run', async () => {
    const { api } = await start((_, response, count) => {
      if (count === 0) return response.destroy();
      if (count === 1) return refuse(response, 409, 'CONFLICT', { 'Retry-After': '0' });
      return sendJson(response, 201, { id: '1' });
    });
    expect((await api.createResource(newResource)).data.id).toBe('1');
  });
});

describe('a request that fails', () => {
  it('is not repeated when it may have taken effect and has no key', async () => {
    const { api } = await start((_, response) => response.destroy());
    const error = await errorFrom(api.updateMe({ body: { name: 'Ada' } }));
    expect(error).toMatchObject({ name: 'GatehouseError', code: 'UNREACHABLE', status: null });
    expect(server.requests).toHaveLength(1);
  });

  it('is repeated when it only reads, and at most as often as the client allows', async () => {
    const { api } = await start((_, response) => response.destroy(), { maxRetries: 2 });
    expect((await errorFrom(api.listUsers())).code).toBe('UNREACHABLE');
    expect(server.requests).toHaveLength(3);
  });

  it.each([429, 503])('is repeated after a %i that says when', async (status) => {
    const { api } = await start((_, response, count) =>
      count < 2
        ? refuse(response, status, 'OVERLOADED', { 'Retry-After': '0' })
        : sendJson(response, 200, {}),
    );
    await api.updateMe({ body: { name: 'Ada' } });
    expect(server.requests).toHaveLength(3);
  });

  it.each([
    [429, { 'Retry-After': '61' }],
    [503, {}],
    [500, { 'Retry-After': '0' }],
    [409, { 'Retry-After': '0' }],
  ] as const)('is not repeated after a %i with %j', async (status, headers) => {
    const { api } = await start((_, response) => refuse(response, status, 'CONFLICT', headers));
    expect((await errorFrom(api.listUsers())).status).toBe(status);
    expect(server.requests).toHaveLength(1);
  });

  it('ends when it gets no response in time', async () => {
    const { api } = await start(() => {}, { timeoutMs: 50, maxRetries: 0 });
    expect((await errorFrom(api.listUsers())).code).toBe('UNREACHABLE');
  });

  it('throws the reason of its signal when that is aborted', async () => {
    const controller = new AbortController();
    const reason = new Error('the page was left');
    const { api } = await start(() => controller.abort(reason));
    expect(await errorFrom(api.listUsers({ signal: controller.signal }))).toBe(reason);
    expect(server.requests).toHaveLength(1);
  });
});

describe('an error', () => {
  it('holds what the service sent', async () => {
    const details = [{ field: 'email', message: 'email must be an email' }];
    const sent = { code: 'VALIDATION_ERROR', message: 'email must be an email', request_id: 'r-7', details };
    const { api } = await start((_, response) => sendJson(response, 400, { error: sent }));
    const error = await errorFrom(api.forgotPassword({ body: { email: 'no address' } }));
    const { code, message, status, requestId, retryAfter } = error;
    expect({ code, message, status, requestId, retryAfter, details: error.details }).toEqual({
      code: 'VALIDATION_ERROR',
      message: 'email must be an email',
      status: 400,
      requestId: 'r-7',
      retryAfter: null,
      details,
    });
  });

  it('says how long to wait', async () => {
    const { api } = await start((_, response) =>
      refuse(response, 429, 'RATE_LIMITED', { 'Retry-After': '300' }),
    );
    expect(await errorFrom(api.readMe())).toMatchObject({ code: 'RATE_LIMITED', retryAfter: 300 });
  });

  it('of a proxy is an UNEXPECTED_RESPONSE', async () => {
    const { api } = await start((_, response) => response.writeHead(502).end('<h1>Bad gateway</h1>'));
    expect(await errorFrom(api.readMe())).toMatchObject({ code: 'UNEXPECTED_RESPONSE', status: 502 });
  });

  it('tells that a record has not changed', async () => {
    const { api } = await start((_, response) => response.writeHead(304).end());
    const error = await errorFrom(api.readMe({ headers: { 'If-None-Match': '"1.1"' } }));
    expect(error).toMatchObject({ code: 'NOT_MODIFIED', status: 304 });
  });

  it('in place of the rest of a body is UNREACHABLE', async () => {
    const { api } = await start((_, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '100' });
      response.write('{"id":', () => response.destroy());
    });
    expect(await errorFrom(api.readMe())).toMatchObject({ code: 'UNREACHABLE' });
  });
});

describe('a request of the caller', () => {
  it('carries the access token and fails as the others do', async () => {
    server = await ScriptedServer.start((_, response, count) =>
      count === 0 ? response.end('rows') : refuse(response, 403, 'FORBIDDEN'),
    );
    const store = memoryStore({ accessToken: 'a', refreshToken: 'r', renewAt: Infinity });
    const gatehouse = new Gatehouse({ baseUrl: `${server.url}/`, store });
    expect(await (await gatehouse.fetch('/api/jobs/1/rejected')).text()).toBe('rows');
    expect((await errorFrom(gatehouse.fetch('/api/jobs/1/rejected'))).code).toBe('FORBIDDEN');
    expect(server.requests[0]?.headers.authorization).toBe('Bearer a');
  });
});
