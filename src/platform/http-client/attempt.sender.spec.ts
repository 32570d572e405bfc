import type { LookupAddress } from 'node:dns';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { StubUpstream } from '../../../test/support/http/stub-upstream.js';
import { until } from '../../../test/support/app/until.js';
import { freePort } from '../../../test/support/http/free-port.js';
import { requestContext } from '../../common/context/request-context.js';
import { AttemptSender, type OutboundRequest } from './attempt.sender.js';
import { createJudgedLookup } from './guarded-connector.js';
import { OutboundTargetsService } from './outbound-targets.service.js';

const closed = new OutboundTargetsService({ OUTBOUND_ALLOW_PRIVATE: false });
const open = new OutboundTargetsService({ OUTBOUND_ALLOW_PRIVATE: true });

describe('an attempt', () => {
  let upstream: StubUpstream;
  let sender: AttemptSender;
  beforeAll(async () => {
    upstream = await StubUpstream.start((_, response) => response.end('hello'));
  });
  beforeEach(() => {
    sender = new AttemptSender(open);
    upstream.seen.length = 0;
  });
  afterEach(() => sender.close());
  afterAll(() => upstream.stop());

  const send = (request: Partial<OutboundRequest> = {}) =>
    sender.send({ method: 'GET', url: upstream.url, headers: {}, ...request });

  it('returns status, headers and body of any response', async () => {
    upstream.answer = (_, response) => response.writeHead(500, { 'X-Reason': 'none' }).end('sorry');
    expect(await send({ method: 'POST', body: '{}' })).toMatchObject({
      ok: true,
      status: 500,
      headers: { 'x-reason': 'none' },
      body: Buffer.from('sorry'),
    });
  });

  it('sends path, query, headers and body, and the trace of the request that it belongs to', async () => {
    const got: unknown[] = [];
    upstream.answer = (request, response) => {
      const { method, url, headers } = request;
      request.on('data', (piece: Buffer) => got.push(piece.toString()));
      request.on('end', () => {
        got.push(method, url, headers['x-a'], headers['user-agent'], headers['traceparent']);
        response.end();
      });
    };
    const traceId = 'ab'.repeat(16);
    const caller = { principal: null, refusal: null };
    const trace = { traceId, spanId: 'cd'.repeat(8), sampled: true };
    const context = { requestId: 'x', trace, origin: null, signal: new AbortController().signal, caller };
    await requestContext.run(context, () =>
      send({
        method: 'POST',
        url: `${upstream.url}/a/b?c=d%20e`,
        headers: { 'X-A': '1' },
        body: Buffer.from('ä'),
      }),
    );
    await send({ url: `${upstream.url}/new`, headers: { 'User-Agent': 'mine' } });
    expect(got).toEqual([
      'ä',
      'POST',
      '/a/b?c=d%20e',
      '1',
      'Gatehouse',
      `00-${traceId}-${'cd'.repeat(8)}-01`,
      'GET',
      '/new',
      undefined,
      'mine',
      expect.stringMatching(/^00-(?!ab)[0-9a-f]{32}-[0-9a-f]{16}-00$/),
    ]);
  });

  it('follows no redirect', async () => {
    upstream.answer = (_, response) =>
      response.writeHead(302, { Location: 'http://169.254.169.254/latest/meta-data' }).end();
    expect(await send()).toMatchObject({ ok: true, status: 302 });
    expect(upstream.seen).toEqual(['GET /']);
  });

  it('ends at its time limit when the response does not begin', async () => {
    upstream.answer = () => undefined;
    expect(await send({ timeoutMs: 100 })).toMatchObject({
      ok: false,
      failure: 'timeout',
      message: 'No response came within 100 ms',
    });
  });

  it('ends at its time limit when the response does not end', async () => {
    let more: NodeJS.Timeout | undefined;
    upstream.answer = (_, response) => {
      more = setInterval(() => response.write('.'), 10);
      response.once('close', () => clearInterval(more));
    };
    expect(await send({ timeoutMs: 200 })).toMatchObject({ ok: false, failure: 'timeout' });
  });

  it('fails on a response that exceeds its bound', async () => {
    let hungUp = 0;
    upstream.answer = (_, response) => {
      const endless = () => {
        while (!response.destroyed && response.write('x'.repeat(10_000)));
      };
      response.on('drain', endless).once('close', () => hungUp++);
      endless();
    };
    expect(await send({ maxBytes: 4096 })).toMatchObject({
      ok: false,
      failure: 'too_large',
      message: 'The response has more than 4096 bytes',
    });
    expect(await send({ maxBytes: 100_000_000 })).toMatchObject({ ok: false, failure: 'too_large' });
    await sender.close();
    await until(() => hungUp === 2);
  });

  it('fails when nobody listens, and when the connection is cut', async () => {
    const url = `http://127.0.0.1:${await freePort()}/`;
    expect(await send({ url })).toMatchObject({
      ok: false,
      failure: 'connection',
      message: 'The host could not be reached: the connection was refused',
    });
    upstream.answer = (request) => request.socket.destroy();
    expect(await send()).toMatchObject({
      ok: false,
      failure: 'connection',
      message: 'The connection was closed before the response ended',
    });
  });

  it('fails when its caller cancels it, before and while it runs', async () => {
    upstream.answer = () => undefined;
    expect(await send({ signal: AbortSignal.abort() })).toMatchObject({ ok: false, failure: 'cancelled' });
    expect(upstream.seen).toEqual([]);
    const caller = new AbortController();
    const sent = send({ signal: caller.signal });
    caller.abort();
    expect(await sent).toMatchObject({ ok: false, failure: 'cancelled' });
  });

  it('sends at most 32 requests to a host at once and refuses what waits beyond 256', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    upstream.answer = (_, response) => void released.then(() => response.end());
    upstream.mostAtOnce = 0;
    const sent = Array.from({ length: 300 }, () => send());
    const refused = await Promise.race(sent.slice(256));
    expect(refused).toMatchObject({ ok: false, failure: 'busy' });
    await until(() => upstream.mostAtOnce === 32);
    release();
    const outcomes = await Promise.all(sent);
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(256);
    expect(upstream.mostAtOnce).toBe(32);
    expect(await send()).toMatchObject({ ok: true });
  });

  it('forgets a request whose time ended while it waited for a connection', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    upstream.answer = (_, response) => void released.then(() => response.end());
    const sent = Array.from({ length: 32 }, () => send());
    const late = Array.from({ length: 224 }, () => send({ url: `${upstream.url}/late`, timeoutMs: 100 }));
    for (const outcome of await Promise.all(late))
      expect(outcome).toMatchObject({ ok: false, failure: 'timeout' });
    sent.push(send());
    release();
    for (const outcome of await Promise.all(sent)) expect(outcome).toMatchObject({ ok: true });
    expect(upstream.seen).not.toContain('GET /late');
  });

  it('waits for no request of another pool to the same host, and for those of its own', async () => {
    upstream.answer = (request, response) => {
      if (request.url !== '/held') response.end();
    };
    const end = new AbortController();
    upstream.mostAtOnce = 0;
    const held = ['one', 'two', undefined].flatMap((pool) =>
      Array.from({ length: 100 }, () =>
        send({ url: `${upstream.url}/held`, signal: end.signal, ...(pool && { pool }) }),
      ),
    );
    await until(() => upstream.mostAtOnce === 3 * 32);
    expect(await send({ pool: 'three' })).toMatchObject({ ok: true });
    expect(await send({ pool: 'one', timeoutMs: 100 })).toMatchObject({ ok: false, failure: 'timeout' });
    end.abort();
    await Promise.all(held);
    expect(await send({ pool: 'one' })).toMatchObject({ ok: true });
  });

  it('keeps the connections of at most 128 idle pools', async () => {
    const connections = new Set<unknown>();
    let most = 0;
    upstream.answer = ({ socket }, response) => {
      connections.add(socket.once('close', () => connections.delete(socket)));
      most = Math.max(most, connections.size);
      response.end();
    };
    for (let pool = 0; pool < 400; pool++) await send({ pool: `${pool}` });
    expect(most).toBeLessThan(200);
    expect(await send({ pool: '0' })).toMatchObject({ ok: true });
  });

  it('refuses targets that must not be called, without a connection', async () => {
    const guarded = new AttemptSender(closed);
    try {
      for (const url of [upstream.url, upstream.url.replace('http', 'https'), 'https://[::1]/', 'nothing']) {
        const outcome = await guarded.send({ method: 'GET', url, headers: {} });
        expect(outcome).toMatchObject({ ok: false, failure: 'refused_target' });
      }
      const named = await guarded.send({ method: 'GET', url: 'https://localhost/', headers: {} });
      expect(named).toMatchObject({
        ok: false,
        failure: 'refused_target',
        message: 'The target must not be called: its name leads to a private address',
      });
    } finally {
      await guarded.close();
    }
    expect(upstream.seen).toEqual([]);
  });

  it('forgets a host when its last connection is closed', async () => {
    const port = await freePort();
    // Linux routes the whole network to this machine.
    for (let host = 1; host <= 300; host++) {
      const url = `http://127.0.${host >> 8}.${host & 255}:${port}/`;
      expect(await send({ url })).toMatchObject({ ok: false, failure: 'connection' });
    }
  });
});

describe('an attempt at a server that does not speak HTTP', () => {
  let server: Server;
  let sender: AttemptSender;
  let reply: string;
  beforeAll(async () => {
    sender = new AttemptSender(open);
    server = createServer((socket) =>
      socket.on('error', () => undefined).once('data', () => socket.end(reply)),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(async () => {
    await sender.close();
    server.close();
  });
  const send = async () => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return sender.send({ method: 'GET', url: `http://127.0.0.1:${address.port}/`, headers: {} });
  };

  it.each([
    ['garbage', 'SSH-2.0-OpenSSH_9.6\r\n', 'invalid_response'],
    ['headers beyond 16 KiB', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`, 'too_large'],
    ['a response that ends too early', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort', 'connection'],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      'invalid_response',
    ],
  ])('fails on %s', async (_, text, failure) => {
    reply = text;
    expect(await send()).toMatchObject({ ok: false, failure });
  });
});

describe('the lookup of a name', () => {
  const lookup = (addresses: string[], all: boolean): Promise<unknown> =>
    new Promise((resolve) => {
      const found: LookupAddress[] = addresses.map((address) => ({
        address,
        family: address.includes(':') ? 6 : 4,
      }));
      const judged = createJudgedLookup(closed, (_name, _options, done) => done(null, found));
      judged('example.com', { all }, (error, address, family) => resolve(error?.name ?? [address, family]));
    });

  it('returns the addresses that it judged', async () => {
    expect(await lookup(['1.1.1.1', '2606:4700::1'], false)).toEqual(['1.1.1.1', 4]);
    expect(await lookup(['1.1.1.1', '2606:4700::1'], true)).toEqual([
      [
        { address: '1.1.1.1', family: 4 },
        { address: '2606:4700::1', family: 6 },
      ],
      undefined,
    ]);
  });

  it.each([[['127.0.0.1']], [['1.1.1.1', '10.0.0.1']], [['1.1.1.1', '::ffff:1.1.1.1']], [['fe80::1%eth0']]])(
    'refuses the name when it leads to %j',
    async (addresses) => {
      expect(await lookup(addresses, true)).toBe('RefusedTargetError');
      expect(await lookup(addresses, false)).toBe('RefusedTargetError');
    },
  );

  it('fails when a name has no address', async () => {
    expect(await lookup([], true)).toBe('Error');
  });
});
