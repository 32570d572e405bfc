import type { Ask } from '../step.types.js';

/** An operation of the API with an input that it accepts. */
export interface KnownOperation {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly access: 'public' | 'signed-in' | 'permission';
  /** A body that has the right form. Absent when the operation takes none. */
  readonly body?: Readonly<Record<string, unknown>>;
  readonly headers?: Ask['headers'];
}

const row = (
  method: KnownOperation['method'],
  path: string,
  access: KnownOperation['access'],
  body?: KnownOperation['body'],
  headers?: KnownOperation['headers'],
): KnownOperation => ({ method, path, access, ...(body && { body }), ...(headers && { headers }) });

/** Every operation. A test fails when the OpenAPI document has another one. */
export const operations: readonly KnownOperation[] = [
  row('GET', '/health', 'public'),
  row('GET', '/health/live', 'public'),
  row('GET', '/health/ready', 'public'),
  row('GET', '/health/startup', 'public'),
  row('GET', '/', 'public'),
  row('GET', '/api', 'public'),
  row('GET', '/.well-known/jwks.json', 'public'),
  row('GET', '/metrics', 'public'),
  row('GET', '/api/roles', 'signed-in'),
  row('GET', '/api/roles/auditor', 'signed-in'),
  row('PUT', '/api/roles/support', 'permission', { permissions: ['users:read'] }),
  row('GET', '/api/users/me', 'signed-in'),
  row('PATCH', '/api/users/me', 'signed-in', { name: 'Somebody' }),
  row('POST', '/api/users', 'public', { email: 'x@example.com', name: 'X', password: 'long enough 7' }),
  row('GET', '/api/users', 'permission'),
  row('GET', '/api/users/<grace.id>', 'permission'),
  row('PATCH', '/api/users/<grace.id>', 'permission', { name: 'Grace' }),
  row('DELETE', '/api/users/<grace.id>', 'permission'),
  row('PUT', '/api/users/<grace.id>/roles', 'permission', { roles: ['user'] }, { 'If-Match': '*' }),
  row('POST', '/api/users/<grace.id>/restore', 'permission'),
  row('POST', '/api/users/<grace.id>/erase', 'permission'),
  row('POST', '/api/auth/login', 'public', { email: 'x@example.com', password: 'long enough 7' }),
  row('POST', '/api/auth/refresh', 'public', { refresh_token: 'no-token' }),
  row('POST', '/api/auth/logout', 'signed-in'),
  row('PUT', '/api/auth/password', 'signed-in', { current_password: 'x', new_password: 'long enough 7' }),
  row('POST', '/api/auth/password/forgot', 'public', { email: 'nobody@example.com' }),
  row('POST', '/api/auth/password/reset', 'public', { token: 'x', new_password: 'long enough 7' }),
  row('POST', '/api/auth/email/verify', 'public', { token: 'x' }),
  row('POST', '/api/auth/email/resend', 'public', { email: 'nobody@example.com' }),
  row('POST', '/api/users/me/email', 'signed-in', { new_email: 'y@example.com', password: 'x' }),
  row('GET', '/api/auth/sessions', 'signed-in'),
  row('DELETE', '/api/auth/sessions', 'signed-in'),
  row('DELETE', '/api/auth/sessions/<nobody>', 'signed-in'),
  row('GET', '/api/users/<grace.id>/sessions', 'permission'),
  row('DELETE', '/api/users/<grace.id>/sessions', 'permission'),
  row('GET', '/api/events', 'permission'),
  row('GET', '/api/users/<grace.id>/events', 'permission'),
  row('GET', '/api/audit', 'permission'),
  row('GET', '/api/audit/<entry.id>', 'permission'),
  row('GET', '/api/audit/<entry.id>/proof', 'permission'),
  row('GET', '/api/audit/seals', 'permission'),
  row('GET', '/api/audit/seals/latest', 'permission'),
  row('POST', '/api/audit/verify', 'permission', {}),
  row('POST', '/api/resources', 'signed-in', { type: 'project', name: 'Engine' }),
  row('GET', '/api/resources', 'signed-in'),
  row('GET', '/api/resources/<engine.id>', 'signed-in'),
  row('DELETE', '/api/resources/<engine.id>', 'signed-in'),
  row('POST', '/api/resources/transfer', 'signed-in', {
    to_user_id: '<grace.id>',
    resource_ids: ['<engine.id>'],
  }),
  row('GET', '/api/users/<grace.id>/data', 'permission'),
  row('GET', '/api/jobs', 'signed-in'),
  row('GET', '/api/jobs/<batch.id>', 'signed-in'),
  row('DELETE', '/api/jobs/<batch.id>', 'signed-in'),
  row('GET', '/api/jobs/<batch.id>/results', 'signed-in'),
  row('GET', '/api/jobs/<batch.id>/stream', 'signed-in'),
  row('POST', '/api/users/batch', 'permission', { action: 'enable', user_ids: ['<grace.id>'] }),
  row('POST', '/api/users/import', 'permission', undefined, { 'Content-Type': 'text/csv' }),
  row('GET', '/api/export/users', 'permission'),
  row('GET', '/api/export/audit', 'permission'),
];
