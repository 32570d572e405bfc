import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SocketServer } from '../../../src/modules/live-events/sockets/socket.server.js';
import { settled } from '../../support/app/settled.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { positionsOutsideOf } from '../../support/builders/events.js';
import { PROTOCOL, TestSocket } from '../../support/builders/sockets.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { RawConnection } from '../../support/http/raw-connection.js';
import { send } from '../../support/http/send.js';

const PER_USER = 3;
const ORIGIN = 'https://app.example.com';
const HANDSHAKE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': Buffer.alloc(16, 7).toString('base64'),
  'Sec-WebSocket-Protocol': PROTOCOL,
};

let app: TestApp;
const open: TestSocket[] = [];
beforeAll(async () => {
  app = await TestApp.create({ config: { STREAMS_PER_USER: PER_USER, CORS_ORIGINS: [ORIGIN] } });
});
afterEach(async () => {
  RawConnection.endAll();
  for (const socket of open.splice(0)) await socket.leave();
  await until(async () => (await metric('event_streams_open{kind="websocket"}')) === 0);
});
afterAll(() => app.close());

const metric = async (series: string): Promise<number> => {
  const { text } = await app.request('get', '/metrics');
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
};
const kept = async (socket: Promise<TestSocket>): Promise<TestSocket> => {
  open.push(await socket);
  return socket;
};
/** Opens a socket that joins after everything so far, because other tests hold back the events of this one. */
const connect = async (user: TestUser, headers?: Record<string, string>): Promise<TestSocket> => {
  await settled(app.database);
  return kept(TestSocket.open(app.url, user, headers));
};
const issueTicket = async (user: TestUser): Promise<string> => {
  const answer = await app.as(user, 'post', '/api/notifications/tickets').expect(200);
  expect(answer.body).toEqual({ ticket: expect.stringMatching(/^[\w-]{43}$/), expires_in: 30 });
  return (answer.body as { ticket: string }).ticket;
};
const withTicket = (ticket: string, headers?: Record<string, string>) =>
  kept(TestSocket.connect(app.url, [PROTOCOL, `ticket.${ticket}`], headers));
/** Sends an upgrade by hand over a connection that then answers nothing, not even pings. */
const writeUpgrade = async (user: TestUser, { version = '1.1', extra = {}, rest = '' } = {}) => {
  const connection = await RawConnection.open(app.url);
  const headers = {
    Host: new URL(app.url).host,
    Authorization: `Bearer ${user.token}`,
    ...HANDSHAKE,
    ...extra,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  connection.write(`GET /ws HTTP/${version}\r\n${lines.join('\r\n')}\r\n\r\n${rest}`);
  return connection;
};
const rename = (user: TestUser, name: string) =>
  app.as(user, 'patch', '/api/users/me').send({ name }).expect(200);
const namesIn = ({ events }: TestSocket) =>
  events.flatMap(({ data }) => (data !== null && 'name' in data ? [data.name] : []));

describe('a WebSocket', () => {
  it('sends the events about its user in the envelope of the feed, and no others', async () => {
    const [user, other] = [await app.createUser(), await app.createUser()];
    const socket = await connect(user);
    expect([socket.socket.protocol, socket.socket.extensions]).toEqual([PROTOCOL, '']);
    await rename(other, 'Other');
    await rename(user, 'Own');
    await until(() => namesIn(socket).includes('Own'));
    const feed = await app.as(user, 'get', `/api/users/${user.id}/events?type=user.updated`).expect(200);
    const [event] = feed.body as [{ position: string }];
    expect(socket.messages.at(-1)).toEqual({ type: 'event', position: event.position, event });
    expect(new Set(socket.events.map(({ subject }) => subject))).toEqual(new Set([user.id]));
  });

  it('resumes after a position, and tells the position of a silent feed in its answer to a ping', async () => {
    const user = await app.createUser();
    await settled(app.database);
    const first = await connect(user);
    const before = await first.ping();
    expect(before).toMatch(/^\d{43}$/);
    await first.leave();
    await rename(user, 'While Away');
    await settled(app.database);
    const second = await connect(user);
    second.send({ type: 'resume', after: before });
    await until(() => second.events.length > 0);
    await rename(user, 'Back Again');
    await until(() => second.events.length > 1);
    expect(namesIn(second)).toEqual(['While Away', 'Back Again']);
  });

  it('refuses to resume after a position that no event can have yet, and goes on where it was', async () => {
    const user = await app.createUser();
    const { ahead, behind } = await positionsOutsideOf(app.database);
    const socket = await connect(user);
    await rename(user, 'Before');
    await until(() => namesIn(socket).includes('Before'));
    for (const after of ahead) socket.send({ type: 'resume', after });
    await until(() => socket.errors.length === ahead.length);
    await rename(user, 'Afterwards');
    await until(() => namesIn(socket).includes('Afterwards'));
    expect(namesIn(socket)).toEqual(['Before', 'Afterwards']);
    expect(new Set(socket.errors)).toEqual(new Set(['VALIDATION_ERROR']));
    socket.send({ type: 'resume', after: behind });
    await until(() => namesIn(socket).length === 5);
    expect(namesIn(socket).slice(3)).toEqual(['Before', 'Afterwards']);
  });

  it('subscribes to the events of all users with events:read, and ends when that is lost', async () => {
    const [auditor, user] = [await app.createUser(['user', 'auditor']), await app.createUser()];
    const socket = await connect(auditor);
    socket.send({ type: 'subscribe', types: ['user.updated'] });
    await socket.ping();
    await app.as(user, 'post', '/api/resources').send({ type: 'file', name: 'Not subscribed' }).expect(201);
    await rename(user, 'Of Another');
    await rename(auditor, 'Of The Auditor');
    await until(() => namesIn(socket).includes('Of The Auditor'));
    const seen = socket.events.filter(({ subject, type }) => subject === user.id || type === 'user.updated');
    expect(seen.map(({ subject }) => subject)).toEqual([user.id, auditor.id]);
    const setRoles = app.as(app.admin, 'put', `/api/users/${auditor.id}/roles`).set('If-Match', '*');
    await setRoles.send({ roles: ['user'] }).expect(200);
    expect((await socket.closed).code).toBe(4401);
  });

  it('sends the events of others from the subscription on, also after a silence', async () => {
    const [auditor, user] = [await app.createUser(['user', 'auditor']), await app.createUser()];
    const [silent, early] = [await connect(auditor), await connect(auditor)];
    early.send({ type: 'subscribe' });
    await early.ping();
    await rename(user, 'Before');
    await until(() => namesIn(early).includes('Before'));
    silent.send({ type: 'subscribe' });
    await silent.ping();
    await rename(user, 'After');
    await until(() => namesIn(silent).includes('After'));
    expect(namesIn(silent)).toEqual(['After']);
  });

  it('answers a subscription without the permission with FORBIDDEN and records it', async () => {
    const user = await app.createUser();
    const socket = await connect(user);
    socket.send({ type: 'subscribe' });
    await until(() => socket.errors.length > 0);
    expect(socket.errors).toEqual(['FORBIDDEN']);
    const entries = await app.as(app.admin, 'get', `/api/audit?actor_id=${user.id}&action=permission.check`);
    expect(entries.body).toMatchObject([{ outcome: 'denied', target: { type: 'route', id: 'GET /ws' } }]);
  });
});

describe('the end of a session', () => {
  it('closes the socket with 4401 after a sign-out, a disabling, and the expiry of the token', async () => {
    const [left, disabled] = [await app.createUser(), await app.createUser()];
    const expiring = await app.createUser();
    const ticket = await issueTicket(expiring);
    await app.database.query(
      `UPDATE socket_tickets SET token_expires_at = clock_timestamp() + interval '300 ms' WHERE user_id = $1`,
      [expiring.id],
    );
    const sockets = [await connect(left), await connect(disabled), await withTicket(ticket)];
    await app.as(left, 'post', '/api/auth/logout').expect(204);
    await app.as(app.admin, 'patch', `/api/users/${disabled.id}`).send({ status: 'disabled' }).expect(200);
    expect(await Promise.all(sockets.map(async ({ closed }) => (await closed).code))).toEqual([
      4401, 4401, 4401,
    ]);
  });
});

describe('the heartbeat', () => {
  it('ends connections that do not answer it, frees their places, and keeps a silent reader who does', async () => {
    const server = app.nest.get(SocketServer);
    const { heartbeatMs } = server;
    server.heartbeatMs = 1000;
    try {
      const [vanished, present] = [await app.createUser(), await app.createUser()];
      const answering = await connect(present);
      let pings = 0;
      answering.socket.on('ping', () => pings++);
      const series = 'event_streams_closed_total{kind="websocket",reason="dead"}';
      const before = await metric(series);
      const dead = await Promise.all(Array.from({ length: PER_USER }, () => writeUpgrade(vanished)));
      for (const connection of dead) expect((await connection.answer()).status).toBe(101);
      await expect(connect(vanished)).rejects.toThrow('answered 503');
      await until(async () => (await metric(series)) === before + PER_USER, 20_000);
      await until(() => dead.every(({ closed }) => closed));
      for (let n = 0; n < PER_USER; n++) await connect(vanished);
      await until(() => pings >= 4, 20_000);
      await rename(present, 'Still Here');
      await until(() => namesIn(answering).includes('Still Here'));
    } finally {
      server.heartbeatMs = heartbeatMs;
    }
  });
});

describe('a ticket', () => {
  it('opens one socket from an allowed page', async () => {
    const user = await app.createUser();
    const ticket = await issueTicket(user);
    const socket = await withTicket(ticket, { Origin: ORIGIN });
    expect(socket.socket.protocol).toBe(PROTOCOL);
    await rename(user, 'By Ticket');
    await until(() => namesIn(socket).includes('By Ticket'));
    await expect(withTicket(ticket)).rejects.toThrow('the upgrade answered 401');
  });

  it('opens one socket when many use it at once', async () => {
    const ticket = await issueTicket(await app.createUser());
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => withTicket(ticket)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('that the service did not make is refused without a query', async () => {
    const lock = await HeldLock.take(app.database.url, 'LOCK TABLE socket_tickets IN ACCESS EXCLUSIVE MODE');
    await expect(withTicket('A'.repeat(43))).rejects.toThrow('answered 401');
    expect(await lock.waiting()).toBe(0);
    await lock.release();
  });

  it('opens none after its time or the end of its session', async () => {
    const [late, left] = [await app.createUser(), await app.createUser()];
    const tickets = [await issueTicket(late), await issueTicket(left)];
    await app.database.query(
      `UPDATE socket_tickets SET expires_at = clock_timestamp() - interval '1 ms' WHERE user_id = $1`,
      [late.id],
    );
    await app.as(left, 'post', '/api/auth/logout').expect(204);
    for (const ticket of tickets) await expect(withTicket(ticket)).rejects.toThrow('answered 401');
  });
});

describe('an upgrade', () => {
  const upgrade = (headers: Record<string, string | undefined>, path = '/ws') => {
    const all = Object.entries({ ...HANDSHAKE, ...headers });
    const given = all.filter((each): each is [string, string] => each[1] !== undefined);
    return send(app.url, { path, headers: Object.fromEntries(given) });
  };
  const authorization = () => ({ Authorization: `Bearer ${app.admin.token}` });

  it.each([
    ['no token', {}, 401, 'UNAUTHORIZED'],
    ['a bad token', { Authorization: 'Bearer nonsense' }, 401, 'UNAUTHORIZED'],
    ['an unknown ticket', { 'Sec-WebSocket-Protocol': `${PROTOCOL}, ticket.x` }, 401, 'UNAUTHORIZED'],
    ['two tickets', { 'Sec-WebSocket-Protocol': `${PROTOCOL}, ticket.x, ticket.y` }, 400, 'VALIDATION_ERROR'],
    ['a bad key', { 'Sec-WebSocket-Key': 'short' }, 400, 'VALIDATION_ERROR'],
    ['another version', { 'Sec-WebSocket-Version': '8' }, 426, 'VALIDATION_ERROR'],
  ])(
    'with %s is refused before the handshake with the usual error body',
    async (_, headers, status, code) => {
      const answer = await upgrade(headers);
      expect(answer).toMatchObject({ status, json: { error: { code } } });
      expect(answer.headers['x-request-id']).toBe(
        (answer.json as { error: { request_id: string } }).error.request_id,
      );
      expect(answer.headers.connection).toBe('close');
    },
  );

  it('from another site is refused, and one from the own host or without a page is not', async () => {
    const refused = await upgrade({ ...authorization(), Origin: 'https://evil.example.com' });
    expect(refused).toMatchObject({ status: 403, json: { error: { code: 'FORBIDDEN' } } });
    expect((await upgrade({ ...authorization(), Origin: 'null' })).status).toBe(403);
    for (const origin of [ORIGIN, app.url]) await (await connect(app.admin, { Origin: origin })).leave();
    await connect(app.admin);
  });

  it('to another protocol than ours, with a query, or by another method is refused', async () => {
    expect((await upgrade({ ...authorization(), 'Sec-WebSocket-Protocol': 'other' })).status).toBe(400);
    expect((await upgrade(authorization(), '/ws?token=1')).status).toBe(400);
    const plain = await app.as(app.admin, 'get', '/ws');
    expect([plain.status, plain.get('Upgrade')]).toEqual([426, 'websocket']);
    expect((await app.as(app.admin, 'post', '/ws')).status).toBe(405);
  });

  it('on any other path is an ordinary request', async () => {
    expect(await upgrade(authorization(), '/api/users/me')).toMatchObject({
      status: 200,
      json: { id: app.admin.id },
    });
    expect((await upgrade(authorization(), '/nothing')).status).toBe(404);
  });

  it('beyond the limit of the user is refused, and a closed socket frees its place', async () => {
    const user = await app.createUser();
    for (let n = 0; n < PER_USER; n++) await connect(user);
    await expect(connect(user)).rejects.toThrow('answered 503');
    expect(await upgrade({ Authorization: `Bearer ${user.token}` })).toMatchObject({
      status: 503,
      json: { error: { code: 'OVERLOADED' } },
    });
    await open[0]?.leave();
    await until(async () => (await metric('event_streams_open{kind="websocket"}')) === PER_USER - 1);
    await connect(user);
  });

  it.each([
    ['under HTTP/1.0', { version: '1.0' }],
    ['with a body', { extra: { 'Content-Length': '2' }, rest: '{}' }],
    ['with a body in chunks', { extra: { 'Transfer-Encoding': 'chunked' }, rest: '2\r\n{}\r\n0\r\n\r\n' }],
  ])('%s is refused, and its connection is closed', async (_, sent) => {
    const connection = await writeUpgrade(await app.createUser(), sent);
    expect(await connection.answer()).toMatchObject({
      status: 400,
      headers: { connection: 'close' },
      json: { error: { code: 'VALIDATION_ERROR' } },
    });
    await until(() => connection.closed);
    expect(connection.failure).toBeNull();
  });

  it('with a body of no bytes is accepted', async () => {
    const connection = await writeUpgrade(await app.createUser(), { extra: { 'Content-Length': '0' } });
    expect((await connection.answer()).status).toBe(101);
  });

  it('is counted as an answer with status 101', async () => {
    const series = 'http_requests_total{method="GET",route="/ws",status="101"}';
    const before = await metric(series);
    await connect(app.admin);
    expect(await metric(series)).toBe(before + 1);
  });
});

describe('a client that breaks the rules', () => {
  it('is closed with the code of its fault, and others receive their events', async () => {
    const [good, bad] = [await app.createUser(), await app.createUser()];
    const other = await connect(good);
    const faults: readonly (readonly [number, (socket: TestSocket) => void])[] = [
      [1009, ({ socket }) => socket.send('x'.repeat(64 * 1024 + 1))],
      [1007, ({ socket }) => socket.send(Buffer.from([0xc3, 0x28]), { binary: false })],
      // A frame with reserved bits and an unknown opcode.
      [1002, (socket) => socket.write(Buffer.from([0x7f, 0]))],
      [1003, ({ socket }) => socket.send(Buffer.from('{}'), { binary: true })],
      [
        1008,
        (socket) => {
          for (let n = 0; n < 200; n++) socket.send({ type: 'ping' });
        },
      ],
      [
        1008,
        ({ socket }) => {
          for (let n = 0; n < 200; n++) socket.ping();
        },
      ],
    ];
    for (const [code, commit] of faults) {
      // On a busy machine the closing handshake may run out of time, and the client then sees no code.
      await until(
        async () => {
          const socket = await connect(bad);
          commit(socket);
          const { code: seen } = await socket.closed;
          if (seen !== 1006) expect([code, seen]).toEqual([code, code]);
          return seen === code;
        },
        30_000,
        `the end with ${code}`,
      );
      await until(async () => (await metric('event_streams_open{kind="websocket"}')) === 1);
    }
    await rename(good, 'Unharmed');
    await until(() => namesIn(other).includes('Unharmed'));
  });

  it('gets an error for a message that is not valid, and stays connected', async () => {
    const socket = await connect(await app.createUser());
    const wrong = [
      '{',
      '[]',
      '{"type":"other"}',
      '{"type":"resume","after":"1"}',
      '{"type":"ping","more":1}',
    ];
    for (const text of [...wrong, '{"type":"subscribe","types":["nothing"]}', '{"__proto__":{}}'])
      socket.socket.send(text);
    await socket.ping();
    expect(socket.errors).toEqual(Array.from({ length: 7 }, () => 'VALIDATION_ERROR'));
  });
});
