import type { Document } from '../../support/docs/openapi-document.js';
import type { Recording } from './recording.js';

const KEY_IN_USE = 'needs two concurrent requests with one Idempotency-Key';

/** The documented responses below 500 that no request produces, each with its reason. */
export const UNRECORDED: Readonly<Record<string, string>> = {
  'GET /api/audit/seals/latest 404': 'the first seal is made during the start',
  'GET /api/audit/seals/latest 409': 'needs a seal of an unknown key',
  'GET /api/audit/{id}/proof 409': 'the sealer decides how long an entry is not sealed',
  'GET /api/export/audit 409': 'a cursor is too old after 24 hours',
  'GET /api/export/users 409': 'a cursor is too old after 24 hours',
  'POST /api/audit/verify 409': KEY_IN_USE,
  'POST /api/auth/password/reset 409': 'needs two requests in a race',
  'POST /api/resources 409': KEY_IN_USE,
  'POST /api/users 403': 'the recorded build took no roles',
  'POST /api/users/batch 409': 'needs many unfinished jobs',
  'POST /api/users/import 409': 'needs many unfinished jobs',
  'POST /api/users/import 413': 'needs a file of a million lines',
  'POST /api/users/me/email 409': KEY_IN_USE,
  'PUT /api/auth/password 409': 'needs two requests in a race',
};

/** The operations that the recorded build did not have, each with its own tests in test/e2e. */
export const NEW_OPERATIONS: readonly string[] = [
  'DELETE /api/roles/{name}',
  'DELETE /api/users/{id}/sessions/{session_id}',
  'DELETE /api/webhooks/{id}',
  'GET /.well-known/oauth-authorization-server',
  'GET /.well-known/openid-configuration',
  'GET /api/events/stream',
  'GET /api/flags',
  'GET /api/flags/{key}',
  'GET /api/jobs/{id}/rejected',
  'GET /api/operations/info',
  'GET /api/users/me/events/stream',
  'GET /api/webhooks',
  'GET /api/webhooks/{id}',
  'GET /api/webhooks/{id}/deliveries',
  'PATCH /api/webhooks/{id}',
  'POST /api/auth/introspect',
  'POST /api/auth/revoke',
  'POST /api/notifications/tickets',
  'POST /api/users/{id}/password-reset',
  'POST /api/webhooks',
  'POST /api/webhooks/{id}/deliveries/{delivery_id}/redeliver',
  'POST /api/webhooks/{id}/replay',
  'POST /api/webhooks/{id}/rotate-secret',
  'POST /api/webhooks/{id}/test',
  'POST /ofrep/v1/evaluate/flags',
  'POST /ofrep/v1/evaluate/flags/{key}',
  'PUT /api/flags/{key}',
  'PUT /api/operations/log-level',
  'PUT /api/users/{id}/email',
];

/** Returns the statuses that the recordings contain for each operation of the document. */
export function recordedStatuses(
  recordings: readonly Recording[],
  { paths }: Document,
): Map<string, Set<string>> {
  // A literal path is found before one with a parameter.
  const templates = Object.keys(paths).toSorted((a, b) => a.split('{').length - b.split('{').length);
  const patterns = templates.map((path): [path: string, pattern: RegExp] => [
    path,
    new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  ]);
  const statuses = new Map<string, Set<string>>();
  for (const [title, text] of recordings.flatMap((each) => [...each])) {
    const [, method, target = ''] = /^([A-Z]+) ([^\s?]+)/.exec(title.replace(/: .*$/, '')) ?? [];
    const path = patterns.find(([, pattern]) => pattern.test(target))?.[0];
    const status = /^< HTTP\/1\.1 ([2-5]\d\d)/m.exec(text)?.[1];
    if (path === undefined || status === undefined) continue;
    const name = `${method} ${path}`;
    statuses.set(name, (statuses.get(name) ?? new Set()).add(status));
  }
  return statuses;
}
