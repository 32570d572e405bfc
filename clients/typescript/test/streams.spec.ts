import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Gatehouse, memoryStore } from '../src/index.js';
import { endedEarly, resuming } from '../src/streams/resume.js';
import { serverSentEvents } from '../src/streams/server-sent-events.js';
import { type Answer, refuse, ScriptedServer, sendJson, tokenResponse } from './scripted-server.js';

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function start(answer: Answer): Promise<Gatehouse> {
  server = await ScriptedServer.start(answer);
  return new Gatehouse({ baseUrl: server.url });
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of stream) values.push(value);
  return values;
}

/** Sends a text and then loses the connection. */
function cutAfter(response: ServerResponse, text: string): void {
  response.write(text, () => response.destroy());
}

const errorLine = (code: string) =>
  `${JSON.stringify({ error: { code, message: 'why', request_id: 'r' } })}\n`;
const row = (id: number) => `${JSON.stringify({ id: String(id) })}\n`;
const complete = (count: number) => `${JSON.stringify({ _complete: { count, sha256: '' } })}\n`;

describe('an export', () => {
  /** Sends these texts, each over a connection of its own that is lost in the end. */
  const exporting =
    (...texts: readonly string[]): Answer =>
    (_, response, count) => {
      response.setHeader('X-Export-Cursor', `c${count}`);
      cutAfter(response, texts[count] ?? '');
    };

  it('continues after a lost connection with the rows that are missing', async () => {
    const gatehouse = await start(
      exporting(row(1) + row(2) + row(3).slice(0, 5), row(3), '', row(4) + complete(4)),
    );
    expect(await collect(gatehouse.exportUsers({ status: 'active', fields: 'id' }))).toEqual(
      [1, 2, 3, 4].map((id) => ({ id: String(id) })),
    );
    expect(
      server?.requests.map(({ path }) => path.replace('/api/export/users?status=active&fields=id', '')),
    ).toEqual(['', '&after=c0&received=2', '&after=c1&received=1', '&after=c2&received=0']);
    expect(server?.requests[0]?.headers.accept).toBe('application/x-ndjson');
  });

  it('continues after an error that may pass', async () => {
    const gatehouse = await start(exporting(row(1) + errorLine('OVERLOADED'), row(2) + complete(2)));
    expect(await collect(gatehouse.exportUsers())).toHaveLength(2);
  });

  it('fails with the error of the service', async () => {
    const gatehouse = await start(exporting(row(1) + errorLine('FORBIDDEN')));
    await expect(collect(gatehouse.exportAudit())).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(server?.requests).toHaveLength(1);
  });

  it('fails when it is refused', async () => {
    const gatehouse = await start((_, response) => refuse(response, 403, 'FORBIDDEN'));
    await expect(collect(gatehouse.exportUsers())).rejects.toMatchObject({ code: 'FORBIDDEN', status: 403 });
    expect(server?.requests).toHaveLength(1);
  });

  it('is asked for as often as its attempts allow', async () => {
    const gatehouse = await start((_, response) => response.destroy());
    await expect(collect(gatehouse.exportUsers({}, { maxAttempts: 2 }))).rejects.toMatchObject({
      code: 'UNREACHABLE',
    });
    expect(server?.requests).toHaveLength(2);
  });

  it('fails when rows are missing', async () => {
    const gatehouse = await start(exporting(row(1) + complete(2)));
    await expect(collect(gatehouse.exportUsers())).rejects.toMatchObject({ code: 'UNEXPECTED_RESPONSE' });
  });

  it('gives up after attempts in a row that brought nothing', async () => {
    const gatehouse = await start(exporting(row(1), '', ''));
    await expect(collect(gatehouse.exportUsers({}, { maxAttempts: 3 }))).rejects.toMatchObject({
      code: 'UNREACHABLE',
    });
    // The first one brought a row.
    expect(server?.requests).toHaveLength(3);
  });

  it('ends its request when its reader leaves', async () => {
    let onClose = () => {};
    const closed = new Promise<void>((resolve) => (onClose = resolve));
    const gatehouse = await start((_, response) => {
      response.setHeader('X-Export-Cursor', 'c').on('close', onClose).write(row(1));
    });
    for await (const { id } of gatehouse.exportUsers()) {
      expect(id).toBe('1');
      break;
    }
    await closed;
  });

  it('throws the reason of its signal', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const gatehouse = await start((_, response) => {
      response.setHeader('X-Export-Cursor', 'c').write(row(1));
    });
    const read = async () => {
      for await (const _ of gatehouse.exportUsers({}, { signal: controller.signal }))
        controller.abort(reason);
    };
    await expect(read()).rejects.toBe(reason);
  });
});

const sse = (event: string, data: object, id?: string) =>
  `event: ${event}\ndata: ${JSON.stringify(data)}\n${id === undefined ? '' : `id: ${id}\n`}\n`;

describe('a job', () => {
  it('is followed to its end over lost connections', async () => {
    const states = [{ done: 1 }, { done: 2 }, { done: 3, status: 'succeeded' }] as const;
    const gatehouse = await start((_, response, count) =>
      count === 0
        ? cutAfter(response, sse('job', states[0]) + sse('progress', states[1]))
        : response.end(sse('job', states[1]) + sse('complete', states[2])),
    );
    expect(await gatehouse.waitForJob('7')).toEqual(states[2]);
    expect(server?.requests.map(({ path }) => path)).toEqual(['/api/jobs/7/stream', '/api/jobs/7/stream']);
  });

  it('fails with the error of the stream', async () => {
    const error = { code: 'NOT_FOUND', message: 'why', request_id: 'r' };
    const gatehouse = await start((_, response) => response.end(sse('error', { error })));
    await expect(collect(gatehouse.followJob('7'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('events', () => {
  const event = (position: string) => ({ specversion: '1.0', type: 'user.created', position });

  it('continue after the last one that came', async () => {
    const controller = new AbortController();
    const gatehouse = await start((_, response, count) =>
      count === 0
        ? cutAfter(response, sse('message', event('1'), '1') + sse('message', event('2'), '2') + 'data: {')
        : response.write(`: comment\n\n${sse('message', event('3'), '3')}`),
    );
    const positions: string[] = [];
    const options = { after: '0', types: ['user.created', 'user.deleted'], signal: controller.signal };
    for await (const { position } of gatehouse.events(options)) {
      positions.push(position);
      if (positions.length === 3) break;
    }
    expect(positions).toEqual(['1', '2', '3']);
    expect(server?.requests.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '2']);
    const path = '/api/events/stream?after=0&type=user.created%2Cuser.deleted';
    expect(server?.requests.map((request) => request.path)).toEqual([path, path]);
  });

  it('begin at the end once, although no event has come before the connection is lost', async () => {
    const token = tokenResponse('ada', 1).access_token;
    server = await ScriptedServer.start(({ path }, response, count) => {
      if (!path.includes('/stream')) return sendJson(response, 200, [], { 'X-Next-Position': '41' });
      return count === 1 ? response.destroy() : response.write(sse('message', event('42'), '42'));
    });
    const store = memoryStore({ accessToken: token, refreshToken: '', renewAt: Infinity });
    const gatehouse = new Gatehouse({ baseUrl: server.url, store });
    for await (const { position } of gatehouse.ownEvents({ after: 'latest' })) {
      expect(position).toBe('42');
      break;
    }
    expect(server.requests.map(({ path }) => path)).toEqual([
      '/api/users/ada/events?after=latest&limit=1',
      '/api/users/me/events/stream?after=41',
      '/api/users/me/events/stream?after=41',
    ]);
  });

  it('continue with a new token when the old one has expired, and end with the session', async () => {
    const error = { code: 'UNAUTHORIZED', message: 'why', request_id: 'r' };
    const gatehouse = await start((_, response, count) =>
      count < 2
        ? response.end(sse('message', event(`${count}`), `${count}`) + sse('error', { error }))
        : refuse(response, 401, 'UNAUTHORIZED'),
    );
    const positions: string[] = [];
    const read = async () => {
      for await (const { position } of gatehouse.ownEvents()) positions.push(position);
    };
    await expect(read()).rejects.toMatchObject({ code: 'UNAUTHORIZED', status: 401 });
    expect(positions).toEqual(['0', '1']);
  });
});

describe('a stream without events', () => {
  /** Reads connections that each end after this time; the last of five brings a value. */
  const readQuiet = async (openMs: number) => {
    let opened = 0;
    async function* connect(): AsyncGenerator<string, void, undefined> {
      opened++;
      await new Promise((resolve) => setTimeout(resolve, openMs));
      if (opened < 5) throw endedEarly();
      yield 'value';
    }
    const reading = collect(resuming(connect, { maxAttempts: 2 })).catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(10 * 60_000);
    return reading;
  };
  afterEach(() => {
    jest.useRealTimers();
  });

  it('has not failed when its connection was open for long', async () => {
    jest.useFakeTimers();
    expect(await readQuiet(31_000)).toEqual(['value']);
    expect(await readQuiet(1000)).toMatchObject({ code: 'UNREACHABLE' });
  });
});

describe('the parser of server-sent events', () => {
  const parse = (chunks: readonly (string | Uint8Array)[], idleMs?: number) => {
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks)
          controller.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : chunk);
        if (idleMs === undefined) controller.close();
      },
    });
    return collect(serverSentEvents(body, idleMs));
  };

  it('reads every kind of line end, wherever the chunks are cut', async () => {
    const text = 'event: a\r\ndata: 1\r\ndata:2\r\nid: x\r\n\r\n: comment\rdata: ä\r\rdata\n\n';
    const expected = [
      { event: 'a', data: '1\n2', id: 'x' },
      { event: 'message', data: 'ä', id: 'x' },
      { event: 'message', data: '', id: 'x' },
    ];
    const bytes = new TextEncoder().encode(text);
    expect(await parse([text])).toEqual(expected);
    expect(await parse(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  it('drops an incomplete event', async () => {
    expect(await parse(['data: 1\n\ndata: 2\n'])).toEqual([{ event: 'message', data: '1', id: '' }]);
  });

  it('takes a silent connection for a lost one', async () => {
    await expect(parse(['data: 1\n\n'], 20)).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });
});
