import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import supertest from 'supertest';
import { Instance } from '../support/app/instance.js';
import { ADMIN, signIn } from '../support/app/test-app.js';
import { TestDatabase } from '../support/database/test-database.js';
import {
  type Document,
  type Operation,
  operationsOf,
  resolveSchema,
  type Schema,
  withResponses,
} from '../support/docs/openapi-document.js';

/** Returns the schema of a JSON object that the operation takes; undefined when it takes none. */
function bodyOf(document: Document, { requestBody }: Operation): Schema | undefined {
  const schema = requestBody?.content['application/json']?.schema;
  const resolved = schema && resolveSchema(document, schema);
  return resolved?.properties ? resolved : undefined;
}

/** Returns the path with the examples of its parameters. */
function pathOf(pattern: string, { parameters }: Operation): string {
  const example = (key: string) =>
    parameters?.find((each) => each.in === 'path' && each.name === key)?.schema.example;
  return pattern.replaceAll(/\{(\w+)\}/g, (_, key: string) => String(example(key)));
}

/** Adds to `found` the path of each default in the schema, in the schemas that it refers to, and in their properties. */
function collectDefaults(document: Document, schema: Schema, path: string, found: string[]): void {
  const {
    properties = {},
    items,
    allOf = [],
    anyOf = [],
    contentSchema,
    ...own
  } = resolveSchema(document, schema);
  if ('default' in own) found.push(path);
  for (const each of [...allOf, ...anyOf, items, contentSchema])
    if (each) collectDefaults(document, each, path, found);
  for (const [key, each] of Object.entries(properties))
    collectDefaults(document, each, `${path} ${key}`, found);
}

describe('what the OpenAPI document says about input', () => {
  let database: TestDatabase;
  let instance: Instance;
  let document: Document;
  let token: string;
  beforeAll(async () => {
    database = await TestDatabase.create();
    const env = { ...database.addresses, LOG_LEVEL: 'silent', ADMIN_PASSWORD: ADMIN.password };
    instance = await Instance.start({ env });
    document = withResponses((await (await fetch(`${instance.url}/openapi.json`)).json()) as Document);
    ({ token } = await signIn(instance.url, ADMIN.email, ADMIN.password));
  });
  afterAll(async () => {
    await instance?.stop();
    await database?.drop();
  });

  it('is repeated by the refusal of a body without its required properties: it names each as required', async () => {
    const requiring = operationsOf(document).flatMap(([name, operation]) => {
      const { required = [] } = bodyOf(document, operation) ?? {};
      return required.length === 0 ? [] : [{ name, operation, required }];
    });
    expect(requiring.length).toBeGreaterThan(12);
    for (const { name, operation, required } of requiring) {
      const [method = '', pattern = ''] = name.split(' ');
      const path = pathOf(pattern, operation);
      const request = supertest(instance.url)[method.toLowerCase() as 'post'](path);
      const answer = await request.auth(token, { type: 'bearer' }).set('If-Match', '*').send({});
      const { details = [] } = (answer.body as { error: { details?: { field: string; message: string }[] } })
        .error;
      const expected = required.map((field) => ({ field, message: `${field} is required` }));
      expect([name, answer.status, details.toSorted((a, b) => (a.field < b.field ? -1 : 1))]).toEqual([
        name,
        400,
        expected.toSorted((a, b) => (a.field < b.field ? -1 : 1)),
      ]);
    }
  });

  it('lets what GET returns be sent back by PUT of the same path, which changes nothing', async () => {
    const operations = new Map(operationsOf(document));
    const paths = [...operations.keys()].flatMap((name) => {
      const path = /^PUT (.*)/.exec(name)?.[1] ?? '';
      return operations.has(`GET ${path}`) ? [path] : [];
    });
    expect(paths).toEqual(expect.arrayContaining(['/api/flags/{key}', '/api/roles/{name}']));
    for (const pattern of paths) {
      const path = pathOf(pattern, operations.get(`PUT ${pattern}`) as Operation);
      const call = (method: 'get' | 'put') =>
        supertest(instance.url)[method](path).auth(token, { type: 'bearer' });
      if ((await call('get')).status === 404)
        await call('put')
          .send({ permissions: ['users:read'] })
          .expect(200);
      const read = await call('get').expect(200);
      const written = await call('put')
        .set('If-Match', read.get('ETag') ?? '')
        .send(read.body as object);
      expect([path, written.status, written.body]).toEqual([path, 200, read.body]);
    }
  });

  it('has no default of a property in a body, which generated clients would take for required', () => {
    const bodies = operationsOf(document).flatMap(([name, { requestBody }]) =>
      Object.entries(requestBody?.content ?? {}).map(
        ([type, { schema = {} }]) => [`${name} ${type}`, schema] as const,
      ),
    );
    expect(bodies.length).toBeGreaterThan(20);
    const found: string[] = [];
    for (const [name, schema] of bodies) collectDefaults(document, schema, name, found);
    expect(found).toEqual([]);
  });

  it('includes the rules of a password wherever a new one is asked for, and where it is refused', () => {
    const asking = operationsOf(document).flatMap(([name, operation]) => {
      const { properties = {} } = bodyOf(document, operation) ?? {};
      const passwords = Object.entries(properties).filter(([, { format }]) => format === 'password');
      return passwords.map(
        ([key, { description }]) => [name, key, description, operation.responses['400']] as const,
      );
    });
    expect(asking.map(([name, key]) => `${name} ${key}`).toSorted()).toEqual([
      'POST /api/auth/password/reset new_password',
      'POST /api/users password',
      'PUT /api/auth/password new_password',
    ]);
    for (const [name, , description, refusal] of asking) {
      for (const text of [description, refusal?.description]) {
        expect([name, text]).toEqual([
          name,
          expect.stringMatching(/8 to 128 characters.*common.*product.*address/),
        ]);
      }
    }
  });
});
