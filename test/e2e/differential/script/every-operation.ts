import type { Ask, Group } from '../step.types.js';
import { type KnownOperation, operations } from './operations.js';

type Variant = Pick<Ask, 'title' | 'as' | 'headers'> & { readonly body?: unknown };

/** Returns the request to the operation with its usual body, or with the one of the variant. */
function ask({ method, path, body, headers }: KnownOperation, variant: Variant, query = ''): Ask {
  const { headers: more, ...rest } = variant;
  return {
    request: `${method} ${path}${query}`,
    ...(body !== undefined && { body }),
    ...((headers ?? more) && { headers: { ...headers, ...more } }),
    ...rest,
  };
}

const closed = operations.filter(({ access }) => access !== 'public');
const forSome = operations.filter(({ access }) => access === 'permission');
const withBody = operations.filter(({ body }) => body !== undefined);
const writes = operations.filter(({ method }) => method !== 'GET');
const reads = operations.filter(({ method }) => method === 'GET');
const patterns = [...new Set(operations.map(({ path }) => path))];

/** The first look at everything that can be read. */
export const firstReads: Group = {
  name: 'first-reads',
  service: 'open',
  steps: reads
    .filter(({ path }) => !/\/(?:seals|latest|proof)$/.test(path))
    .map((each) => ask(each, { as: 'admin' })),
};

/** Refusals of callers by every operation that is not public. */
export const denials: Group = {
  name: 'denials',
  service: 'open',
  steps: [
    ...closed.map((each) => ask(each, { title: 'no token' })),
    ...closed.map((each) =>
      ask(each, { title: 'a malformed token', headers: { Authorization: 'Bearer x.y' } }),
    ),
    ...forSome.map((each) => ask(each, { as: 'ada', title: 'without the permission' })),
  ],
};

/** Refusals of input by every operation that takes some, from a caller who may use it. */
export const faults: Group = {
  name: 'faults',
  service: 'open',
  steps: [
    ...operations.map((each) => ask(each, { as: 'admin', title: 'an unknown parameter' }, '?nothing=1')),
    ...withBody.map((each) => ask(each, { as: 'admin', title: 'broken JSON', body: '{"a":' })),
    ...withBody.map((each) =>
      ask(each, { as: 'admin', title: 'an unknown field', body: { ...each.body, nothing: 1 } }),
    ),
    ...writes.map((each) =>
      ask(each, {
        as: 'admin',
        title: 'a form',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: 'a=1',
      }),
    ),
    ...writes
      .filter(({ path }) => path !== '/api/users/import')
      .map(({ method, path }): Ask => ({
        request: `${method} ${path}`,
        as: 'admin',
        title: 'a body above the limit',
        headers: { 'Content-Type': 'application/json', 'Content-Length': '300001' },
      })),
    ...['/', '/api', '/health', '/health/live', '/health/ready', '/health/startup'].map((path): Ask => ({
      request: `GET ${path}`,
      title: 'an invalid host',
      headers: { Host: 'a/b' },
    })),
    ...operations
      .filter(({ path }) => /<\w+\.id>|<nobody>/.test(path))
      .map((each) => ({ ...each, path: each.path.replace(/<\w+(?:\.id)?>/, 'not-an-id') }))
      .map((each) => ask(each, { as: 'admin', title: 'a malformed id' })),
  ].filter((each) => !each.request.includes('/stream?')),
};

/** Methods that a path does not serve, and those that every path serves. */
export const methods: Group = {
  name: 'methods',
  service: 'open',
  steps: [
    ...patterns.map((path): Ask => ({ request: `OPTIONS ${path}` })),
    ...[
      '/',
      '/health',
      '/metrics',
      '/api/users',
      '/api/users/me',
      '/api/auth/login',
      '/openapi.json',
      '/docs',
    ].flatMap((path): Ask[] =>
      ['TRACE', 'PROPFIND', 'QUERY'].map((method) => ({ request: `${method} ${path}` })),
    ),
    ...reads
      .filter(({ path }) => !/\/(?:stream|metrics|seals|latest|proof)|^\/health/.test(path))
      .map(({ path }): Ask => ({ request: `HEAD ${path}`, as: 'admin' })),
    ...['/health', '/health/live', '/health/ready', '/health/startup'].map((path): Ask => ({
      request: `HEAD ${path}`,
    })),
    { request: 'HEAD /api/users/me', title: 'no token' },
    { request: 'HEAD /api/nothing' },
    { request: 'HEAD /api/auth/login' },
    { request: 'HEAD /api/users?limit=0', as: 'admin' },
  ],
};
