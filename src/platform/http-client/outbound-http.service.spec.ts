import type { RequestListener, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../test/support/app/until.js';
import { OutboundClient } from '../../../test/support/http/outbound-client.js';
import { StubUpstream } from '../../../test/support/http/stub-upstream.js';
import { AppError } from '../../common/errors/app.error.js';
import type { OutboundHttpService } from './outbound-http.service.js';

const TIME_LIMIT_MS = 2000;
/** Far less than the time limits of an attempt and of all attempts, which apply without a shorter one. */
const DELAY_OF_A_BUSY_MACHINE_MS = 5000;

describe('OutboundHttpService.get', () => {
  let upstream: StubUpstream;
  let client: OutboundClient;
  let http: OutboundHttpService;
  beforeEach(async () => {
    upstream = await StubUpstream.start((_, response) => response.end('hello'));
    client = new OutboundClient({ allowPrivate: true });
    http = client.http;
  });
  afterEach(async () => {
    await client.close();
    await upstream.stop();
  });

  const counts = (name: string, label: string) => client.counts(name, label);
  const status = (code: number, headers = {}) => {
    upstream.answer = (_, response) => response.writeHead(code, headers).end();
  };
  /** Reads without the cache. Returns `ok` or the error’s code and its cause. */
  const get = (path = '/', options = {}): Promise<string> =>
    http.get(upstream.url + path, { cacheSeconds: 0, ...options }).then(() => 'ok', reasonOf);

  function reasonOf(error: unknown): string {
    if (!(error instanceof AppError)) throw error;
    return `${error.code} ${(error.cause as Error).message}`;
  }

  /** Makes requests until the breaker of the host is open. */
  const openBreaker = () => until(async () => /failed too often/.test(await get()));

  it('returns a 2xx response at the first attempt', async () => {
    const { status: code, body } = await http.get(upstream.url);
    expect([code, String(body)]).toEqual([200, 'hello']);
    expect(upstream.seen).toHaveLength(1);
  });

  it('tries three times', async () => {
    let failures = 2;
    upstream.answer = (request, response) => {
      if (failures-- > 0) request.socket.destroy();
      else response.end();
    };
    expect(await get()).toBe('ok');
    expect(upstream.seen).toHaveLength(3);
    expect(await counts('requests', 'outcome')).toEqual({ connection: 2, '2xx': 1 });
  });

  it('fails after three attempts', async () => {
    status(503);
    expect(await get()).toMatch(/^EXTERNAL_ERROR 127\.0\.0\.1:\d+: status 503$/);
    expect(upstream.seen).toHaveLength(3);
  });

  it.each([
    ['a wrong status', 404, {}],
    ['a redirect to the metadata of the machine', 302, { Location: 'http://169.254.169.254/latest/' }],
  ])('fails at once on %s', async (_, code, headers) => {
    status(code, headers);
    expect(await get()).toMatch(new RegExp(`^EXTERNAL_ERROR .*: status ${code}$`));
    expect(upstream.seen).toEqual(['GET /']);
  });

  it.each<[string, RequestListener | null, RegExp]>([
    ['does not answer', () => undefined, /No response came within/],
    [
      'answers byte by byte',
      (_, response) => {
        const more = setInterval(() => response.write('.'), 10);
        response.once('close', () => clearInterval(more));
      },
      /No response came within/,
    ],
    ['refuses connections', null, /the connection was refused/],
    ['hangs up', ({ socket }) => socket.destroy(), /The connection was closed before the response ended/],
    ['fails', (_, response) => response.writeHead(500).end(), /status 500/],
    [
      'does not speak HTTP',
      ({ socket }) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'),
      /The response is not valid HTTP/,
    ],
    [
      'never stops sending',
      (_, response) => {
        const endless = () => {
          while (!response.destroyed && response.write('x'.repeat(10_000)));
        };
        response.on('drain', endless);
        endless();
      },
      /The response has more than 1048576 bytes/,
    ],
    [
      'redirects to a link-local address',
      (_, response) => response.writeHead(302, { Location: 'http://169.254.169.254/latest/' }).end(),
      /status 302/,
    ],
  ])('fails with EXTERNAL_ERROR within the time limit when the host %s', async (_, answer, reason) => {
    if (answer) upstream.answer = answer;
    else await upstream.stop();
    const startedAt = performance.now();
    const outcome = await get('/', { totalMs: TIME_LIMIT_MS });
    expect(performance.now() - startedAt).toBeLessThan(TIME_LIMIT_MS + DELAY_OF_A_BUSY_MACHINE_MS);
    expect(outcome).toMatch(/^EXTERNAL_ERROR 127\.0\.0\.1:\d+: /);
    expect(outcome).toMatch(reason);
  });

  it('keeps to its time limit with a host that never answers', async () => {
    upstream.answer = () => undefined;
    const startedAt = performance.now();
    expect(await get('/', { totalMs: 300 })).toMatch(/^EXTERNAL_ERROR /);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(299);
    expect(await counts('requests', 'outcome')).toEqual({ timeout: 1 });
  });

  it('waits as long as Retry-After says, and not at all beyond its time limit', async () => {
    const times: number[] = [];
    upstream.answer = (_, response) => {
      times.push(performance.now());
      if (times.length === 1) response.writeHead(429, { 'Retry-After': '1' }).end();
      else response.end();
    };
    expect(await get()).toBe('ok');
    const [first = 0, second = 0] = times;
    expect(second - first).toBeGreaterThanOrEqual(990);
    status(503, { 'Retry-After': '60' });
    upstream.seen.length = 0;
    expect(await get()).toMatch(/status 503/);
    expect(upstream.seen).toHaveLength(1);
  });

  it('refuses a target that must not be called', async () => {
    client = new OutboundClient({ allowPrivate: false });
    http = client.http;
    expect(await get()).toBe('EXTERNAL_ERROR The URL must use https');
    const local = await http.get('https://localhost/', { cacheSeconds: 0 }).then(() => 'ok', reasonOf);
    expect(local).toMatch(/its name leads to a private address$/);
    expect(upstream.seen).toEqual([]);
  });

  it('adds at most 50 ms while the breaker is open', async () => {
    status(500);
    await openBreaker();
    upstream.seen.length = 0;
    const times: number[] = [];
    for (let i = 0; i < 21; i++) {
      const startedAt = performance.now();
      expect(await get()).toMatch(/^EXTERNAL_ERROR .* failed too often$/);
      times.push(performance.now() - startedAt);
    }
    // The median, because this machine may be busy with other things.
    expect(times.toSorted((a, b) => a - b)[10]).toBeLessThan(50);
    expect(upstream.seen).toEqual([]);
    expect(await counts('breakers', 'state')).toEqual({ closed: 0, half_open: 0, open: 1 });
    expect((await counts('requests', 'outcome'))['breaker_open']).toBeGreaterThanOrEqual(21);
  });

  it('keeps a breaker for each host', async () => {
    status(500);
    await openBreaker();
    const other = await StubUpstream.start((_, response) => response.end());
    try {
      expect((await http.get(other.url, { cacheSeconds: 0 })).status).toBe(200);
    } finally {
      await other.stop();
    }
  });

  it('sends at most one probe at a time while the breaker is half open', async () => {
    status(500);
    await openBreaker();
    const held: ServerResponse[] = [];
    upstream.answer = (_, response) => held.push(response);
    upstream.seen.length = 0;
    const probing: Promise<string>[] = [];
    await until(() => {
      for (let i = 0; i < 20; i++) probing.push(get());
      return held.length > 0;
    });
    expect(await counts('breakers', 'state')).toEqual({ closed: 0, half_open: 1, open: 0 });
    for (let i = 0; i < 50; i++) expect(await get()).toMatch(/failed too often/);
    expect(upstream.seen).toHaveLength(1);
    held[0]?.end();
    const outcomes = await Promise.all(probing);
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(1);
    expect(await counts('breakers', 'state')).toEqual({ closed: 1, half_open: 0, open: 0 });
  });

  it('closes the breaker within 10 s of the return of a host that refused connections', async () => {
    await upstream.stop();
    await openBreaker();
    await upstream.start();
    await until(async () => (await get()) === 'ok', 10_000, 'a closed breaker within 10 s');
  });

  it('closes the breaker within 10 s of the return of a host that swallowed the probe', async () => {
    status(500);
    await openBreaker();
    upstream.answer = () => undefined;
    upstream.seen.length = 0;
    const probing: Promise<string>[] = [];
    await until(() => {
      probing.push(get());
      return upstream.seen.length > 0;
    });
    // The worst case: the breaker waits for the answer to a probe that the host will never give.
    upstream.answer = (_, response) => response.end();
    await until(async () => (await get()) === 'ok', 10_000, 'a closed breaker within 10 s');
    expect((await Promise.all(probing)).filter((outcome) => outcome === 'ok')).toEqual([]);
  });

  it('shares a request in progress and keeps its response', async () => {
    let release = (): void => undefined;
    upstream.answer = (_, response) => (release = () => response.end('shared'));
    const reads = Array.from({ length: 50 }, () => http.get(`${upstream.url}/a`));
    await until(() => upstream.seen.length === 1);
    release();
    const bodies = (await Promise.all(reads)).map(({ body }) => String(body));
    expect(new Set(bodies)).toEqual(new Set(['shared']));
    expect(String((await http.get(`${upstream.url}/a`)).body)).toBe('shared');
    expect(upstream.seen).toEqual(['GET /a']);
    expect(await counts('lookups', 'result')).toEqual({ miss: 1, shared: 49, hit: 1 });
  });

  it('keeps no response that must not be kept, and no failure', async () => {
    status(200, { 'Cache-Control': 'no-store' });
    await http.get(upstream.url);
    await http.get(upstream.url);
    expect(upstream.seen).toHaveLength(2);
    status(404);
    await expect(http.get(`${upstream.url}/b`)).rejects.toThrow(AppError);
    status(200);
    expect((await http.get(`${upstream.url}/b`)).status).toBe(200);
  });

  it('answers from the cache while the breaker is open', async () => {
    await http.get(`${upstream.url}/kept`);
    status(500);
    await openBreaker();
    expect(String((await http.get(`${upstream.url}/kept`)).body)).toBe('hello');
  });
});
