import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Instance } from '../support/app/instance.js';
import { TestDatabase } from '../support/database/test-database.js';
import {
  type Document,
  hasOwnError,
  type Operation,
  operationsOf,
  withResponses,
} from '../support/docs/openapi-document.js';

// Checks what people read and what clients are generated from. openapi.e2e-spec.ts checks the schemas.
describe('the OpenAPI document', () => {
  let database: TestDatabase;
  let instance: Instance;
  let text: string;
  /** The document as sent, and with the shared responses in place of the references to them. */
  let sent: Document;
  let document: Document;
  beforeAll(async () => {
    database = await TestDatabase.create();
    const env = { ...database.addresses, PUBLIC_URL: 'https://accounts.gatehouse.test', LOG_LEVEL: 'silent' };
    instance = await Instance.start({ env });
    text = await (await fetch(`${instance.url}/openapi.json`)).text();
    sent = JSON.parse(text) as Document;
    document = withResponses(sent);
  });
  afterAll(async () => {
    await instance?.stop();
    await database?.drop();
  });

  /** Returns the names of the operations for which `fault` returns an error. */
  const faulty = (fault: (operation: Operation) => boolean): string[] =>
    operationsOf(document)
      .filter(([, operation]) => fault(operation))
      .map(([name]) => name);

  it('has each refusal once, as a component', () => {
    const refusals = operationsOf(sent).flatMap(([name, { responses }]) =>
      Object.entries(responses)
        .filter(([status]) => Number(status) >= 400 && !hasOwnError(name, status))
        .map(([status, { $ref }]) => [name, status, $ref?.startsWith('#/components/responses/')]),
    );
    expect(refusals.filter(([, , shared]) => shared !== true)).toEqual([]);
    expect(refusals.length).toBeGreaterThan(400);
    expect(Object.keys(sent.components.responses).length).toBeLessThan(25);
    expect(text.length / operationsOf(sent).length).toBeLessThan(3000);
  });

  it('describes every route, parameter and property', () => {
    expect(faulty(({ description = '' }) => !/[.]$/.test(description))).toEqual([]);
    const parameters = operationsOf(document).flatMap(([name, { parameters: given = [] }]) =>
      given.filter(({ description }) => !description).map((each) => `${name} ${each.name}`),
    );
    expect(parameters).toEqual([]);
    const properties = Object.entries(document.components.schemas).flatMap(([name, schema]) =>
      Object.entries(schema.properties ?? {})
        .filter(([, { description, $ref, allOf }]) => !description && $ref === undefined && !allOf)
        .map(([key]) => `${name}.${key}`),
    );
    expect(properties).toEqual([]);
  });

  it('says who may call a route', () => {
    const described = Object.fromEntries(
      operationsOf(document).map(([name, { description }]) => [name, description]),
    );
    expect(described['GET /api/users']).toMatch(/Requires `users:read`\.$/);
    expect(described['POST /api/auth/login']).toMatch(/Open to everyone\.$/);
    expect(described['GET /api/users/me']).toMatch(/For every signed-in user\.$/);
    expect(described['GET /api/users/{id}']).toMatch(/For the user itself, and for holders of `users:read`/);
  });

  it('has no example that Swagger UI would send for a parameter that may be left out', () => {
    const sending = operationsOf(document).flatMap(([name, { parameters = [] }]) =>
      parameters
        .filter(({ required, example, schema }) => !required && (example ?? schema.example) !== undefined)
        .map((each) => `${name} ${each.name}`),
    );
    expect(sending).toEqual([]);
  });

  it('documents the limit, the request id and what a refused client should do', () => {
    const lacking = operationsOf(document).flatMap(([name, { responses }]) =>
      Object.entries(responses).flatMap(([status, { headers = {} }]) => {
        const isApi = name.includes(' /api/');
        const wanted = [
          'X-Request-Id',
          ...(isApi ? ['RateLimit', 'RateLimit-Policy'] : []),
          ...(status === '401' ? ['WWW-Authenticate'] : []),
          ...(status === '429' ? ['Retry-After'] : []),
        ];
        return wanted.filter((each) => !(each in headers)).map((each) => `${name} ${status} ${each}`);
      }),
    );
    expect(lacking).toEqual([]);
    const limited = operationsOf(document).filter(([name]) => name.includes(' /api/'));
    expect(limited.filter(([, { responses }]) => !responses['429']).map(([name]) => name)).toEqual([]);
  });

  it('names each operation by a verb and what it concerns', () => {
    const ids = operationsOf(document).map(([, { operationId }]) => operationId ?? '');
    expect(ids.filter((id) => !/^[a-z]+(?:[A-Z][a-z]+)*$/.test(id))).toEqual([]);
    expect(ids).toEqual(expect.arrayContaining(['exportUsers', 'forgotPassword', 'listEvents', 'login']));
  });

  it('names PUBLIC_URL as server, and links to itself as JSON', () => {
    expect(sent).toMatchObject({
      servers: [{ url: 'https://accounts.gatehouse.test' }, { url: '/' }],
      info: { description: expect.stringContaining('(/openapi.json)') },
    });
  });
});
