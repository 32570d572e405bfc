import { afterEach, describe, expect, it } from '@jest/globals';
import { Gatehouse, memoryStore, type TokenStore, webStorageStore } from '../src/index.js';
import {
  type Answer,
  type ReceivedRequest,
  refuse,
  ScriptedServer,
  sendJson,
  tokenResponse,
} from './scripted-server.js';

const ADA = { email: 'ada@example.com', password: 'correct horse battery' };
const REFRESH = '/api/auth/refresh';

let server: ScriptedServer;
afterEach(() => server.stop());

/** A service that accepts the newest tokens of a session, whose number each refresh counts up. */
class SessionService {
  refreshes = 0;
  private current = 1;
  private refused = 0;

  constructor(private readonly lifetimeSeconds = 900) {}

  /** Refuses the current access token from now on, as a service with another clock does. */
  refuseCurrent(): void {
    this.refused = this.current;
  }

  readonly answer: Answer = ({ path, headers, body }: ReceivedRequest, response) => {
    const issued = () => tokenResponse('ada', this.current, this.lifetimeSeconds);
    if (path === '/api/auth/login') return sendJson(response, 200, issued());
    if (path === REFRESH) {
      this.refreshes++;
      if (!body.includes(issued().refresh_token)) return refuse(response, 401, 'UNAUTHORIZED');
      this.current++;
      return sendJson(response, 200, issued());
    }
    if (path === '/api/auth/logout') return response.writeHead(204).end();
    const isCurrent = headers.authorization === `Bearer ${issued().access_token}`;
    if (isCurrent && this.current > this.refused) return sendJson(response, 200, { name: 'Ada' });
    return refuse(response, 401, 'UNAUTHORIZED', { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
  };
}

async function start(answer: Answer, store: TokenStore = memoryStore()): Promise<Gatehouse> {
  server = await ScriptedServer.start(answer);
  return new Gatehouse({ baseUrl: server.url, store });
}

/** A storage as browsers have it. */
function storage(): Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> {
  const entries = new Map<string, string>();
  return {
    getItem: (key) => entries.get(key) ?? null,
    setItem: (key, value) => void entries.set(key, value),
    removeItem: (key) => void entries.delete(key),
  };
}

const paths = () => server.requests.map(({ path }) => path);

describe('a session', () => {
  it('sends the access token after a sign-in, and none after a sign-out', async () => {
    const gatehouse = await start(new SessionService().answer);
    await gatehouse.signIn(ADA);
    expect((await gatehouse.api.readMe()).data.name).toBe('Ada');
    expect(await gatehouse.isSignedIn()).toBe(true);
    await gatehouse.signOut();
    expect(await gatehouse.isSignedIn()).toBe(false);
    await expect(gatehouse.api.readMe()).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(server.requests.at(-1)?.headers.authorization).toBeUndefined();
  });

  it('renews a refused token once for all requests, and repeats them', async () => {
    const service = new SessionService();
    const gatehouse = await start(service.answer);
    await gatehouse.signIn(ADA);
    await gatehouse.api.readMe();
    service.refuseCurrent();
    const answers = await Promise.all([1, 2, 3].map(() => gatehouse.api.readMe()));
    expect(answers.map(({ data }) => data.name)).toEqual(['Ada', 'Ada', 'Ada']);
    expect(service.refreshes).toBe(1);
  });

  it('renews a token before it expires', async () => {
    const service = new SessionService(1);
    const gatehouse = await start(service.answer);
    await gatehouse.signIn(ADA);
    await new Promise((resolve) => setTimeout(resolve, 600));
    await gatehouse.api.readMe();
    expect(paths()).toEqual(['/api/auth/login', REFRESH, '/api/users/me']);
  });

  it('ends when the service refuses to renew it', async () => {
    const gatehouse = await start(({ path }, response) =>
      path === '/api/auth/login'
        ? sendJson(response, 200, tokenResponse('ada', 1))
        : refuse(response, 401, 'UNAUTHORIZED', { 'WWW-Authenticate': 'Bearer error="invalid_token"' }),
    );
    await gatehouse.signIn(ADA);
    await expect(gatehouse.api.readMe()).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(await gatehouse.isSignedIn()).toBe(false);
    expect(paths()).toEqual(['/api/auth/login', '/api/users/me', REFRESH]);
  });

  it('outlives an unreachable service', async () => {
    let isDown = false;
    const service = new SessionService(1);
    const gatehouse = await start((request, response, count) =>
      isDown ? response.destroy() : service.answer(request, response, count),
    );
    await gatehouse.signIn(ADA);
    isDown = true;
    await new Promise((resolve) => setTimeout(resolve, 600));
    await expect(gatehouse.api.readMe()).rejects.toMatchObject({ code: 'UNREACHABLE' });
    isDown = false;
    expect((await gatehouse.api.readMe()).data.name).toBe('Ada');
  });

  it('sends a refresh token again after a lost response, but not so late that it would count as stolen', async () => {
    const service = new SessionService();
    const gatehouse = await start((request, response, count) => {
      if (request.path !== REFRESH) return service.answer(request, response, count);
      const isFirst = server.requests.filter(({ path }) => path === REFRESH).length === 1;
      return isFirst ? response.destroy() : refuse(response, 503, 'OVERLOADED', { 'Retry-After': '8' });
    });
    await gatehouse.signIn(ADA);
    service.refuseCurrent();
    await expect(gatehouse.api.readMe()).rejects.toMatchObject({ code: 'OVERLOADED', retryAfter: 8 });
    expect(paths().filter((path) => path === REFRESH)).toHaveLength(2);
    expect(await gatehouse.isSignedIn()).toBe(true);
  });

  it('renews once for two clients that share a storage', async () => {
    const service = new SessionService();
    const shared = storage();
    const one = await start(service.answer, webStorageStore({ storage: shared }));
    const other = new Gatehouse({ baseUrl: server.url, store: webStorageStore({ storage: shared }) });
    await one.signIn(ADA);
    service.refuseCurrent();
    const answers = await Promise.all([one.api.readMe(), other.api.readMe()]);
    expect(answers.map(({ data }) => data.name)).toEqual(['Ada', 'Ada']);
    expect(service.refreshes).toBe(1);
  });

  it('does not repeat a request of one user as another', async () => {
    const shared = memoryStore();
    const gatehouse = await start(async ({ path, headers }, response) => {
      if (path === '/api/auth/login') return sendJson(response, 200, tokenResponse('ada', 1));
      const { access_token: accessToken, refresh_token: refreshToken } = tokenResponse('grace', 1);
      if (headers.authorization === `Bearer ${accessToken}`)
        return sendJson(response, 200, { name: 'Grace' });
      await shared.save({ accessToken, refreshToken, renewAt: Infinity });
      return refuse(response, 401, 'UNAUTHORIZED', { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
    }, shared);
    await gatehouse.signIn(ADA);
    await expect(gatehouse.api.updateMe({ body: { name: 'Ada' } })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    });
    expect(paths()).toEqual(['/api/auth/login', '/api/users/me']);
  });

  it('keeps the tokens that a change of password returns', async () => {
    const gatehouse = await start(({ path, headers }, response) => {
      if (path === '/api/auth/login') return sendJson(response, 200, tokenResponse('ada', 1));
      if (path === '/api/auth/password') return sendJson(response, 200, tokenResponse('ada', 2));
      return sendJson(response, 200, { name: headers.authorization });
    });
    await gatehouse.signIn(ADA);
    await gatehouse.changePassword({
      current_password: ADA.password,
      new_password: 'a better horse battery',
    });
    expect((await gatehouse.api.readMe()).data.name).toBe(`Bearer ${tokenResponse('ada', 2).access_token}`);
  });

  it('stays ended when the user signs out during a renewal', async () => {
    const service = new SessionService();
    const store = memoryStore();
    const gatehouse = await start(async (request, response, count) => {
      // Another client that shares the store signs out.
      if (request.path === REFRESH) await store.save(null);
      return service.answer(request, response, count);
    }, store);
    await gatehouse.signIn(ADA);
    const { accessToken = '', refreshToken = '' } = (await store.load()) ?? {};
    await store.save({ accessToken, refreshToken, renewAt: 0 });
    await expect(gatehouse.api.readMe()).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(await gatehouse.isSignedIn()).toBe(false);
  });
});

describe('a web storage', () => {
  it('takes a damaged entry for none', async () => {
    const damaged = storage();
    damaged.setItem('gatehouse.tokens', '{"accessToken":');
    const gatehouse = await start(
      (_, response) => sendJson(response, 200, {}),
      webStorageStore({ storage: damaged }),
    );
    expect(await gatehouse.isSignedIn()).toBe(false);
  });
});
