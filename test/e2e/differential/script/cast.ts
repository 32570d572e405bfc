import type { Ask, Group } from '../step.types.js';

export const PASSWORD = 'correct horse battery';
export const OTHER_PASSWORD = 'a better horse battery';

/** Registers a user whose id is captured as `<name.id>`. */
export const signUp = (name: string): Ask => ({
  request: 'POST /api/users',
  title: name,
  body: { email: `${name}@example.com`, name: `${name} of the cast`, password: PASSWORD },
  capture: { [`${name}.id`]: { body: 'id' } },
});

/** Signs a user in, whose tokens are captured as `<name.token>` and `<name.refresh>`. */
export const signIn = (name: string, title = name): Ask => ({
  request: 'POST /api/auth/login',
  title,
  body: { email: `${name}@example.com`, password: PASSWORD },
  capture: { [`${name}.token`]: { body: 'access_token' }, [`${name}.refresh`]: { body: 'refresh_token' } },
});

export const setRoles = (name: string, ...roles: string[]): Ask => ({
  request: `PUT /api/users/<${name}.id>/roles`,
  as: 'admin',
  headers: { 'If-Match': '*' },
  body: { roles: ['user', ...roles] },
});

/** Signs the administrator in. */
export const adminSignsIn: Ask = {
  request: 'POST /api/auth/login',
  title: 'the administrator',
  body: { email: 'admin@gatehouse.local', password: 'only for the tests 7' },
  capture: { 'admin.token': { body: 'access_token' }, 'admin.refresh': { body: 'refresh_token' } },
};

/** The users of all later groups. */
export const cast: Group = {
  name: 'cast',
  service: 'open',
  steps: [
    adminSignsIn,
    { request: 'GET /api/users/me', as: 'admin', capture: { 'admin.id': { body: 'id' } } },
    ...['ada', 'grace', 'premium', 'auditor', 'support', 'disabled', 'leaver', 'erased'].map(signUp),
    ...['ada', 'grace', 'premium', 'auditor', 'support', 'disabled', 'leaver'].map((name) => signIn(name)),
    setRoles('premium', 'premium'),
    setRoles('auditor', 'auditor'),
    {
      request: 'PUT /api/roles/support',
      as: 'admin',
      body: { permissions: ['users:read', 'users:write', 'users:delete'] },
      capture: { 'support.etag': { header: 'ETag' } },
    },
    setRoles('support', 'support'),
    { request: 'PATCH /api/users/<disabled.id>', as: 'admin', body: { status: 'disabled' } },
    { request: 'DELETE /api/users/<leaver.id>', as: 'leaver' },
    { request: 'DELETE /api/users/<erased.id>', as: 'admin' },
    { request: 'POST /api/users/<erased.id>/erase', as: 'admin' },
    {
      request: 'POST /api/resources',
      as: 'ada',
      title: 'the engine',
      body: { type: 'project', name: 'Engine', external_id: 'engine-1' },
      capture: { 'engine.id': { body: 'id' }, 'engine.etag': { header: 'ETag' } },
    },
    {
      request: 'POST /api/users/batch',
      as: 'admin',
      title: 'the batch',
      body: { action: 'enable', user_ids: ['<ada.id>', '<nobody>'] },
      capture: { 'batch.id': { body: 'id' } },
    },
    { until: `SELECT 1 FROM jobs WHERE id = '<batch.id>' AND finished_at IS NOT NULL` },
    { until: 'SELECT 1 FROM users HAVING count(last_login_at) = 8' },
    {
      request: 'GET /api/audit?limit=1&action=role.update',
      as: 'admin',
      capture: { 'entry.id': { text: /"id":"([^"]+)"/ } },
    },
  ],
};
