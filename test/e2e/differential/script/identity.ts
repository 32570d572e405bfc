import type { Ask, Group } from '../step.types.js';
import { OTHER_PASSWORD, PASSWORD, signIn, signUp } from './cast.js';

/** A token in the form of ours that another service signed. */
const FOREIGN =
  'eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImZvcmVpZ24ifQ.eyJzdWIiOiJhIn0.' +
  'MEUCIQDx1qJ9v0N2bq9bq0QkqZ0oJmT2bYJ3pYw0W1oQ5o3Z4wIgXl9b2h5m0xk2v7Zy8b1c3d4e5f6g';

const withHeader = (
  title: string,
  value: string | readonly string[],
  request = 'GET /api/users/me',
): Ask => ({
  request,
  title,
  headers: { Authorization: value },
});

/** Requests with and without a valid caller. */
export const callers: Group = {
  name: 'callers',
  service: 'open',
  steps: [
    withHeader('a foreign token', `Bearer ${FOREIGN}`),
    withHeader('a token with a changed signature', 'Bearer <ada.token>A'),
    withHeader('a token with a changed body', 'Bearer a<ada.token>'),
    withHeader('a refresh token', 'Bearer <ada.refresh>'),
    withHeader('the scheme in lower case', 'bearer <ada.token>'),
    withHeader('two blanks', 'Bearer  <ada.token>'),
    withHeader('a tail', 'Bearer <ada.token> x'),
    withHeader('the scheme alone', 'Bearer'),
    withHeader('an empty header', ''),
    withHeader('the Basic scheme', 'Basic YWRhOmFkYQ=='),
    withHeader('the DPoP scheme', 'DPoP <ada.token>'),
    withHeader('a token of a disabled user', 'Bearer <disabled.token>'),
    withHeader('a token of a deleted user', 'Bearer <leaver.token>'),
    withHeader('an invalid token on a public route', 'Bearer x.y', 'GET /'),
    withHeader('an invalid token on a public route that reads a body', 'Bearer x.y', 'POST /api/auth/login'),
    withHeader('a token on a public route', 'Bearer <ada.token>', 'GET /api'),
    withHeader('an invalid token on an unknown path', 'Bearer x.y', 'GET /api/nothing'),
    withHeader('two tokens', ['Bearer <ada.token>', 'Bearer <grace.token>']),
    { request: 'GET /api/users/me?access_token=<ada.token>', title: 'a token in the query' },
    { request: 'GET /api/users/me', title: 'a token in a cookie', headers: { Cookie: 'token=<ada.token>' } },
    { request: 'GET /api/users/me', as: 'ada' },
    { request: 'GET /api/users/<ada.id>', as: 'ada', title: 'oneself' },
    { request: 'GET /api/users/<grace.id>', as: 'ada', title: 'somebody else' },
    { request: 'GET /api/users/<nobody>', as: 'ada', title: 'nobody' },
    { request: 'GET /api/users/<nobody>', as: 'admin', title: 'nobody' },
    { request: 'GET /api/users/<leaver.id>', as: 'auditor', title: 'deleted' },
    { request: 'GET /api/users/<leaver.id>', as: 'admin', title: 'deleted' },
    { request: 'GET /api/users/<erased.id>', as: 'admin', title: 'erased' },
    {
      request: 'PATCH /api/users/<admin.id>',
      as: 'support',
      title: 'above the caller',
      body: { name: 'Lower' },
    },
    { request: 'PATCH /api/users/<ada.id>', as: 'support', body: { name: 'Ada Lovelace' } },
    {
      request: 'PATCH /api/users/<admin.id>',
      as: 'admin',
      title: 'the last administrator',
      body: { status: 'disabled' },
    },
    { request: 'DELETE /api/users/<admin.id>', as: 'admin', title: 'the last administrator' },
    {
      request: 'PUT /api/users/<admin.id>/roles',
      as: 'admin',
      title: 'the last administrator',
      headers: { 'If-Match': '*' },
      body: { roles: ['user'] },
    },
    {
      request: 'PUT /api/users/<ada.id>/roles',
      as: 'admin',
      title: 'an unknown role',
      headers: { 'If-Match': '*' },
      body: { roles: ['unknown'] },
    },
    {
      request: 'PUT /api/users/<nobody>/roles',
      as: 'admin',
      title: 'nobody',
      headers: { 'If-Match': '*' },
      body: { roles: ['user'] },
    },
    ...['PATCH', 'DELETE'].map((method): Ask => ({
      request: `${method} /api/users/<nobody>`,
      as: 'admin',
      title: 'nobody',
    })),
    { request: 'PATCH /api/users/<leaver.id>', as: 'admin', title: 'deleted', body: { name: 'Gone' } },
    { request: 'POST /api/users/<ada.id>/restore', as: 'admin', title: 'not deleted' },
    { request: 'POST /api/users/<ada.id>/erase', as: 'admin', title: 'not deleted' },
    { request: 'POST /api/users/<nobody>/restore', as: 'admin', title: 'nobody' },
    { request: 'POST /api/users/<nobody>/erase', as: 'admin', title: 'nobody' },
    { request: 'POST /api/users/<leaver.id>/restore', as: 'admin' },
    { request: 'GET /api/users/<ada.id>/data', as: 'ada', title: 'oneself' },
    { request: 'GET /api/users/<grace.id>/data', as: 'ada', title: 'somebody else' },
    { request: 'GET /api/users/<ada.id>/data', as: 'admin' },
    { request: 'GET /api/users/<nobody>/data', as: 'admin' },
    { request: 'GET /api/users/<admin.id>/data', as: 'support', title: 'above the caller' },
    { request: 'DELETE /api/users/<admin.id>', as: 'support', title: 'above the caller' },
  ],
};

const login = (title: string, body: unknown): Ask => ({ request: 'POST /api/auth/login', title, body });

const changeEmail = (title: string, body: object, key?: string): Ask => ({
  request: 'POST /api/users/me/email',
  as: 'visitor',
  title,
  body: { password: PASSWORD, ...body },
  ...(key !== undefined && { headers: { 'Idempotency-Key': key } }),
  // An hour, less the seconds since the first of the requests that count.
  masks: [[/(Retry-After): 35[4-9]\d$/gm, '$1: 3600']],
});

/** Sign-in, sessions and recovery. */
export const sessions: Group = {
  name: 'sessions',
  service: 'open',
  steps: [
    login('a wrong password', { email: 'ada@example.com', password: 'a wrong one' }),
    login('an unknown address', { email: 'unknown@example.com', password: PASSWORD }),
    login('a disabled user', { email: 'disabled@example.com', password: PASSWORD }),
    login('an empty body', {}),
    login('wrong types', { email: 1, password: ['x'] }),
    login('a forbidden property', '{"__proto__":{},"email":"a"}'),
    signUp('visitor'),
    { mailTo: 'visitor@example.com', subject: 'Confirm your email address', name: 'visitor.first' },
    signIn('visitor'),
    {
      request: 'POST /api/auth/login',
      title: 'again',
      body: { email: 'VISITOR@example.com', password: PASSWORD },
      headers: { 'User-Agent': 'differential/1', 'X-Forwarded-For': '203.0.113.7' },
      capture: { 'second.token': { body: 'access_token' }, 'second.refresh': { body: 'refresh_token' } },
    },
    { request: 'GET /api/auth/sessions', as: 'visitor' },
    {
      request: 'GET /api/auth/sessions?limit=1&total=exact',
      as: 'visitor',
      capture: { 'session.id': { text: /"id":"([^"]+)"/ } },
    },
    { request: 'GET /api/users/<visitor.id>/sessions?total=estimate', as: 'admin' },
    { request: 'GET /api/users/<nobody>/sessions', as: 'admin' },
    { request: 'POST /api/auth/refresh', body: { refresh_token: '<visitor.refresh>' } },
    { request: 'POST /api/auth/refresh', title: 'a token that is none', body: { refresh_token: 'x' } },
    {
      request: 'POST /api/auth/refresh',
      title: 'an access token',
      body: { refresh_token: '<visitor.token>' },
    },
    { request: 'DELETE /api/auth/sessions/<session.id>', as: 'visitor' },
    { request: 'DELETE /api/auth/sessions/<session.id>', as: 'visitor', title: 'ended' },
    { request: 'DELETE /api/auth/sessions/<nobody>', as: 'ada' },
    signIn('visitor', 'once more'),
    { request: 'DELETE /api/auth/sessions', as: 'visitor' },
    {
      request: 'PUT /api/auth/password',
      as: 'visitor',
      title: 'a wrong password',
      body: { current_password: 'x', new_password: OTHER_PASSWORD },
    },
    {
      request: 'PUT /api/auth/password',
      as: 'visitor',
      title: 'a common password',
      body: { current_password: PASSWORD, new_password: 'password123' },
    },
    {
      request: 'PUT /api/auth/password',
      as: 'visitor',
      body: { current_password: PASSWORD, new_password: OTHER_PASSWORD },
    },
    { request: 'GET /api/users/me', as: 'visitor', title: 'a token from before the change' },
    { request: 'POST /api/auth/email/resend', body: { email: 'visitor@example.com' } },
    { mailTo: 'visitor@example.com', subject: 'Confirm your email address', name: 'visitor.confirm' },
    { request: 'POST /api/auth/email/verify', body: { token: '<visitor.confirm>' } },
    { request: 'POST /api/auth/email/verify', title: 'spent', body: { token: '<visitor.confirm>' } },
    { request: 'POST /api/auth/password/forgot', body: { email: 'visitor@example.com' } },
    { mailTo: 'visitor@example.com', subject: 'Set a new password', name: 'visitor.reset' },
    {
      request: 'POST /api/auth/password/reset',
      title: 'a short password',
      body: { token: '<visitor.reset>', new_password: 'x' },
    },
    { request: 'POST /api/auth/password/reset', body: { token: '<visitor.reset>', new_password: PASSWORD } },
    {
      request: 'POST /api/auth/password/reset',
      title: 'spent',
      body: { token: '<visitor.reset>', new_password: PASSWORD },
    },
    signIn('visitor', 'after the reset'),
    {
      request: 'POST /api/users/me/email',
      as: 'visitor',
      title: 'a wrong password',
      body: { new_email: 'v@example.org', password: 'x' },
    },
    {
      request: 'POST /api/users/me/email',
      as: 'visitor',
      body: { new_email: 'v@example.org', password: PASSWORD },
    },
    { mailTo: 'v@example.org', subject: 'Confirm', name: 'visitor.change' },
    {
      ...signUp('visitor'),
      title: 'the new address',
      body: { email: 'v@example.org', name: 'V', password: PASSWORD },
      capture: {},
    },
    {
      request: 'POST /api/auth/email/verify',
      title: 'of a taken address',
      body: { token: '<visitor.change>' },
    },
    changeEmail('a taken address', { new_email: 'ada@example.com' }),
    changeEmail('with a key', { new_email: 'w@example.org' }, 'change'),
    changeEmail('the key for another body', { new_email: 'u@example.org' }, 'change'),
    ...[1, 2, 3, 4].map((n) => changeEmail(`once more ${n}`, { new_email: 'w@example.org' })),
    { request: 'DELETE /api/users/<visitor.id>/sessions', as: 'admin' },
    { request: 'DELETE /api/users/<nobody>/sessions', as: 'admin' },
    signIn('visitor', 'to leave'),
    { request: 'POST /api/auth/logout', as: 'visitor' },
    { request: 'POST /api/auth/logout', as: 'visitor', title: 'again' },
  ],
};
