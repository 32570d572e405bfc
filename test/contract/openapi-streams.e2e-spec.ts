import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import supertest from 'supertest';
import { Instance } from '../support/app/instance.js';
import { ADMIN, signIn } from '../support/app/test-app.js';
import { until } from '../support/app/until.js';
import { eventsOf } from '../support/builders/exports.js';
import type { JobBody } from '../support/builders/jobs.js';
import { TestDatabase } from '../support/database/test-database.js';
import {
  type Document,
  type Schema,
  schemaChecker,
  withResponses,
} from '../support/docs/openapi-document.js';

/** The path of the schema of a sequence in a successful response. */
const streamOf = (path: string, type: string) =>
  ['paths', path, 'get', 'responses', '200', 'content', type, 'schema', 'contentSchema', 'items'] as const;

describe('what the OpenAPI document says about streams and files', () => {
  let database: TestDatabase;
  let instance: Instance;
  let document: Document;
  let check: ReturnType<typeof schemaChecker>;
  let token: string;
  beforeAll(async () => {
    database = await TestDatabase.create();
    const env = { ...database.addresses, LOG_LEVEL: 'silent', ADMIN_PASSWORD: ADMIN.password };
    instance = await Instance.start({ env });
    document = withResponses((await (await fetch(`${instance.url}/openapi.json`)).json()) as Document);
    check = schemaChecker(document);
    ({ token } = await signIn(instance.url, ADMIN.email, ADMIN.password));
  });
  afterAll(async () => {
    await instance?.stop();
    await database?.drop();
  });

  const get = async (path: string): Promise<string> => {
    const answer = await supertest(instance.url).get(path).auth(token, { type: 'bearer' }).buffer(true);
    expect([path, answer.status]).toEqual([path, 200]);
    return answer.text;
  };
  const importFile = async (type: string, file: string): Promise<JobBody> => {
    const answer = await supertest(instance.url)
      // The example files have the same users.
      .post('/api/users/import?on_conflict=update')
      .auth(token, { type: 'bearer' })
      .set('Content-Type', type)
      .send(file);
    expect([file, answer.status]).toEqual([file, 202]);
    const path = `/api/jobs/${(answer.body as JobBody).id}`;
    let job = answer.body as JobBody;
    await until(async () => (job = JSON.parse(await get(path)) as JobBody).finished_at !== null);
    return job;
  };

  /** Checks each event by its name, and returns the names. */
  const checkEvents = (path: string, text: string): string[] => {
    const place = streamOf(path, 'text/event-stream');
    const { anyOf = [] } = place.reduce<unknown>(
      (part, key) => (part as Record<string, unknown>)[key],
      document,
    ) as Schema;
    return eventsOf(text).map(({ event, id, data }) => {
      const index = anyOf.findIndex(({ properties }) => properties?.['event']?.const === event);
      const model = [...place, 'anyOf', index];
      expect([event, check(model, { event, ...(id !== undefined && { id }), data })]).toEqual([event, []]);
      const faults = check([...model, 'properties', 'data', 'contentSchema'], JSON.parse(data));
      expect([event, faults]).toEqual([event, []]);
      return event ?? '';
    });
  };

  it.each([
    ['/api/export/users', 'user'],
    ['/api/export/audit', 'entry'],
  ])('holds for every event of %s', async (path, row) => {
    const names = checkEvents(path, await get(path));
    expect([names.at(0), names.includes(row), names.at(-1)]).toEqual(['start', true, 'complete']);
  });

  it.each(['/api/export/users', '/api/export/audit'])('holds for every NDJSON line of %s', async (path) => {
    const lines = (await get(`${path}?format=ndjson`)).trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) {
      expect([line, check(streamOf(path, 'application/x-ndjson'), JSON.parse(line))]).toEqual([line, []]);
    }
  });

  it('holds for every event of a job', async () => {
    const { id } = await importFile('application/x-ndjson', '{"email":"streamed@example.com"}\n');
    const names = checkEvents('/api/jobs/{id}/stream', await get(`/api/jobs/${id}/stream`));
    expect(names).toEqual(['job', 'complete']);
  });

  it('detects an event and a line that it does not describe', () => {
    const start = [...streamOf('/api/export/users', 'text/event-stream'), 'anyOf', 0] as const;
    expect(check(start, { event: 'another', data: '{}' })).not.toEqual([]);
    const line = streamOf('/api/export/users', 'application/x-ndjson');
    expect(check(line, { _complete: { count: 'one' } })).not.toEqual([]);
  });

  it('has example files that are imported whole, and a row with every property', async () => {
    const content = document.paths['/api/users/import']?.['post']?.requestBody?.content ?? {};
    expect(Object.keys(content)).toEqual(['application/json', 'application/x-ndjson', 'text/csv']);
    for (const [type, { example }] of Object.entries(content)) {
      const file = typeof example === 'string' ? example : JSON.stringify(example);
      expect([type, await importFile(type, file)]).toMatchObject([type, { done: 2, failed: 0 }]);
    }
    const { properties = {} } = document.components.schemas['ImportRowDto'] ?? {};
    const row = Object.fromEntries(Object.entries(properties).map(([key, { example }]) => [key, example]));
    expect(check(['components', 'schemas', 'ImportRowDto'], row)).toEqual([]);
    expect(Object.keys(row)).toHaveLength(8);
    expect(await importFile('application/x-ndjson', JSON.stringify(row))).toMatchObject({
      done: 1,
      failed: 0,
    });
  });

  it('describes a hash as text or as a credential of Keycloak, and roles as a list or as text', async () => {
    const place = ['components', 'schemas', 'ImportRowDto'];
    const bytes = (size: number) => Buffer.alloc(size, 7).toString('base64');
    const keycloak = { algorithm: 'pbkdf2-sha256', hashIterations: 27500, salt: bytes(16), value: bytes(64) };
    const row = { email: 'keycloak@schemas.example', password_hash: keycloak, roles: 'user' };
    for (const roles of ['user', 'user;premium', ['user']])
      expect(check(place, { ...row, roles })).toEqual([]);
    expect(await importFile('application/x-ndjson', JSON.stringify(row))).toMatchObject({ done: 1 });
    expect(check(place, { ...row, password_hash: 5 })).not.toEqual([]);
    expect(check(place, { ...row, roles: 5 })).not.toEqual([]);
  });
});
