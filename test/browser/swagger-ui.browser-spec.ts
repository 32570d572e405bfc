import { afterAll, beforeAll, expect, it } from '@jest/globals';
import supertest from 'supertest';
import { noChromium } from '../support/app/browser.js';
import { ADMIN, PASSWORD, signIn } from '../support/app/test-app.js';
import { until } from '../support/app/until.js';
import { wherePossible } from '../support/app/where-possible.js';
import { DocumentedService } from '../support/docs/documented-service.js';

/** Swagger UI takes more than a second of CPU time for each of some seventy routes. */
const TOUR_MS = 600_000;

const UNKNOWN_ID = '404: the page cannot know an id, so it shows one that no record has';
const MAILED_CODE = '400: the page cannot know a code that was mailed';

/** The refusals of the prefilled values, with their reasons. Every other route succeeds. */
const REFUSED: Readonly<Record<string, string>> = {
  'POST /api/auth/refresh': '401: the page cannot know a refresh token, which is a secret',
  'POST /api/auth/password/reset': MAILED_CODE,
  'POST /api/auth/email/verify': MAILED_CODE,
  'DELETE /api/auth/sessions/{id}': UNKNOWN_ID,
  'GET /api/users/{id}': UNKNOWN_ID,
  'PATCH /api/users/{id}': UNKNOWN_ID,
  'DELETE /api/users/{id}': UNKNOWN_ID,
  'PUT /api/users/{id}/roles': UNKNOWN_ID,
  'PUT /api/users/{id}/email': UNKNOWN_ID,
  'GET /api/users/{id}/data': UNKNOWN_ID,
  'GET /api/users/{id}/events': UNKNOWN_ID,
  'GET /api/users/{id}/sessions': UNKNOWN_ID,
  'DELETE /api/users/{id}/sessions': UNKNOWN_ID,
  'DELETE /api/users/{id}/sessions/{session_id}': UNKNOWN_ID,
  'POST /api/users/{id}/password-reset': UNKNOWN_ID,
  'POST /api/users/{id}/restore': UNKNOWN_ID,
  'POST /api/users/{id}/erase': UNKNOWN_ID,
  'GET /api/resources/{id}': UNKNOWN_ID,
  'DELETE /api/resources/{id}': UNKNOWN_ID,
  'POST /api/resources/transfer': UNKNOWN_ID,
  'GET /api/jobs/{id}': UNKNOWN_ID,
  'GET /api/jobs/{id}/results': UNKNOWN_ID,
  'GET /api/jobs/{id}/rejected': UNKNOWN_ID,
  'GET /api/jobs/{id}/stream': UNKNOWN_ID,
  'DELETE /api/jobs/{id}': UNKNOWN_ID,
  'GET /api/webhooks/{id}': UNKNOWN_ID,
  'PATCH /api/webhooks/{id}': UNKNOWN_ID,
  'GET /api/webhooks/{id}/deliveries': UNKNOWN_ID,
  'POST /api/webhooks/{id}/rotate-secret': UNKNOWN_ID,
  'POST /api/webhooks/{id}/test': UNKNOWN_ID,
  'POST /api/webhooks/{id}/deliveries/{delivery_id}/redeliver': UNKNOWN_ID,
  'POST /api/webhooks/{id}/replay': UNKNOWN_ID,
  'DELETE /api/webhooks/{id}': UNKNOWN_ID,
  'GET /api/audit/{id}': UNKNOWN_ID,
  'GET /api/audit/{id}/proof': UNKNOWN_ID,
};
/** They create what others read. */
const FIRST = ['POST /api/users', 'PUT /api/roles/{name}'];
/** Their answers do not end, so the page never shows one. */
const ENDLESS = ['GET /api/events/stream', 'GET /api/users/me/events/stream'];
/** They end the session that all others need. */
const LAST = ['PUT /api/auth/password', 'POST /api/auth/logout'];

wherePossible(noChromium, 'Swagger UI in a browser', () => {
  let service: DocumentedService;
  beforeAll(async () => {
    service = await DocumentedService.start();
  });
  afterAll(() => service?.stop());

  it(
    'succeeds on every route with the prefilled values, but for refusals with a reason, and with a real id',
    async () => {
      const { url, routes } = service;
      const page = await service.open(url);
      const admin = await signIn(url, ADMIN.email, PASSWORD);
      const records = await createRecords(url, admin.token);
      await page.authorize(admin.token);
      const ids = new Map(withIds(records));
      const early = [...FIRST, ...ids.keys()];
      const apart = [...early, ...ENDLESS, ...LAST];
      const others = routes.filter((route) => !apart.includes(route));
      const statuses: Record<string, string[]> = {};
      for (const route of [...early, ...others, ...LAST]) {
        if (route === 'POST /api/users/{id}/erase') await records.deleteUser();
        statuses[route] = await page.execute(service.shown(route), ids.get(route));
        if (route !== 'PUT /api/auth/password') continue;
        // The change has ended every session of the administrator.
        const { token } = await signIn(url, ADMIN.email, 'a better horse battery');
        await page.authorize(token);
      }
      // A status that the document does not have is shown as “Undocumented”.
      const success = expect.stringMatching(/^20[0-4]$/);
      const expected = Object.keys(statuses).map((route) => [
        route,
        [REFUSED[route]?.slice(0, 3) ?? success, ...(ids.has(route) ? [success] : [])],
      ]);
      expect(statuses).toEqual(Object.fromEntries(expected));
      const unknown = Object.keys(REFUSED).filter((route) => REFUSED[route] === UNKNOWN_ID);
      expect([...ids.keys(), 'POST /api/resources/transfer'].toSorted()).toEqual(unknown.toSorted());
      expect(Object.keys(REFUSED).filter((route) => !routes.includes(route))).toEqual([]);
    },
    TOUR_MS,
  );
});

interface Records {
  readonly user: string;
  readonly userSession: string;
  readonly ownSession: string;
  readonly resource: string;
  readonly job: string;
  readonly entry: string;
  readonly webhook: string;
  readonly delivery: string;
  deleteUser(): Promise<void>;
}

/** Creates a record of each kind as the administrator. */
async function createRecords(url: string, token: string): Promise<Records> {
  const ask = async <Body>(method: 'get' | 'post' | 'delete', path: string, body?: object): Promise<Body> => {
    const answer = await supertest(url)[method](path).auth(token, { type: 'bearer' }).send(body);
    if (answer.status >= 400) throw new Error(`${method} ${path} answered ${answer.status}: ${answer.text}`);
    return answer.body as Body;
  };
  interface Named {
    readonly id: string;
  }
  const person = { email: 'somebody@example.com', password: PASSWORD, name: 'Somebody' };
  const { id: user } = await ask<Named>('post', '/api/users', person);
  await signIn(url, person.email, PASSWORD);
  await signIn(url, ADMIN.email, PASSWORD);
  const [userSession] = await ask<Named[]>('get', `/api/users/${user}/sessions`);
  const sessions = await ask<(Named & { readonly current: boolean })[]>('get', '/api/auth/sessions');
  const { id: resource } = await ask<Named>('post', '/api/resources', { type: 'project', name: 'Engine' });
  const imported = await supertest(url)
    .post('/api/users/import')
    .auth(token, { type: 'bearer' })
    .set('Content-Type', 'application/x-ndjson')
    .send('{"email":"not an address"}');
  const { id: job } = imported.body as Named;
  await until(
    async () => (await ask<{ finished_at: string | null }>('get', `/api/jobs/${job}`)).finished_at !== null,
  );
  const hook = { url: 'https://receiver.example/hooks', types: ['user.created'] };
  const { id: webhook } = await ask<Named>('post', '/api/webhooks', hook);
  const { id: delivery } = await ask<Named>('post', `/api/webhooks/${webhook}/test`);
  const [entry] = await ask<Named[]>('get', '/api/audit');
  const proof = () => supertest(url).get(`/api/audit/${entry?.id}/proof`).auth(token, { type: 'bearer' });
  await until(async () => (await proof()).status === 200);
  return {
    user,
    userSession: userSession?.id ?? '',
    ownSession: sessions.find(({ current }) => !current)?.id ?? '',
    resource,
    job,
    entry: entry?.id ?? '',
    webhook,
    delivery,
    deleteUser: () => ask('delete', `/api/users/${user}`),
  };
}

/** Every route with an id in an order in which each finds its record, and what to type there. */
function withIds(records: Records) {
  const { user, userSession, ownSession, resource, job, entry, webhook, delivery } = records;
  const id = (of: string) => ({ id: of });
  const routes: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ['GET /api/users/{id}', id(user)],
    ['PATCH /api/users/{id}', id(user)],
    ['PUT /api/users/{id}/roles', id(user)],
    ['PUT /api/users/{id}/email', id(user)],
    ['GET /api/users/{id}/data', id(user)],
    ['GET /api/users/{id}/events', id(user)],
    ['GET /api/users/{id}/sessions', id(user)],
    ['DELETE /api/users/{id}/sessions/{session_id}', { id: user, session_id: userSession }],
    ['DELETE /api/users/{id}/sessions', id(user)],
    ['POST /api/users/{id}/password-reset', id(user)],
    ['DELETE /api/users/{id}', id(user)],
    ['POST /api/users/{id}/restore', id(user)],
    ['POST /api/users/{id}/erase', id(user)],
    ['DELETE /api/auth/sessions/{id}', id(ownSession)],
    ['GET /api/resources/{id}', id(resource)],
    ['DELETE /api/resources/{id}', id(resource)],
    ['GET /api/jobs/{id}', id(job)],
    ['GET /api/jobs/{id}/results', id(job)],
    ['GET /api/jobs/{id}/rejected', id(job)],
    ['GET /api/jobs/{id}/stream', id(job)],
    ['DELETE /api/jobs/{id}', id(job)],
    ['GET /api/webhooks/{id}', id(webhook)],
    ['PATCH /api/webhooks/{id}', id(webhook)],
    ['GET /api/webhooks/{id}/deliveries', id(webhook)],
    ['POST /api/webhooks/{id}/rotate-secret', id(webhook)],
    ['POST /api/webhooks/{id}/test', id(webhook)],
    ['POST /api/webhooks/{id}/deliveries/{delivery_id}/redeliver', { ...id(webhook), delivery_id: delivery }],
    ['POST /api/webhooks/{id}/replay', id(webhook)],
    ['DELETE /api/webhooks/{id}', id(webhook)],
    ['GET /api/audit/{id}', id(entry)],
    ['GET /api/audit/{id}/proof', id(entry)],
  ];
  return routes;
}
