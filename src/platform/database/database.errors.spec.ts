import { describe, expect, it } from '@jest/globals';
import {
  QueryFailedError,
  QueryRunnerAlreadyReleasedError,
  QueryRunnerProviderAlreadyReleasedError,
} from 'typeorm';
import { requestContext } from '../../common/context/request-context.js';
import { databaseError, isTransient, violatesUnique } from './database.errors.js';

const failed = (facts: object) =>
  new QueryFailedError('SELECT secret FROM users', [], Object.assign(new Error('users_pkey'), facts));
const system = (code: string) => Object.assign(new Error(`connect ${code} 10.0.0.1:5432`), { code });

/** Runs `work` as in a request that has timed out. */
const afterTheLimit = <T>(work: () => T): T =>
  requestContext.run(
    {
      requestId: 'r',
      trace: null,
      origin: { ip: '', userAgent: '' },
      signal: AbortSignal.abort(),
      caller: { principal: null, refusal: null },
    },
    work,
  );

describe('databaseError', () => {
  it.each([
    ['a failed path to the server', ['08000', '08003', '08006', '08P01', 'ECONNREFUSED']],
    ['a server that starts, stops or crashes', ['57P01', '57P02', '57P03', '57P04', '57P05']],
    ['a session ended by the server', ['25P03', '25P04']],
    ['a server that refuses the login', ['28000', '28P01', '3D000']],
    ['a read-only database', ['25006']],
    ['a full disk, lack of memory or too many connections', ['53000', '53100', '53200', '53300', '53400']],
    ['a failed operating system of the server', ['58000', '58030']],
  ])('returns 503 with Retry-After for %s', (_, codes) => {
    for (const code of codes) {
      expect(databaseError(failed({ code }))).toMatchObject({
        code: 'DB_ERROR',
        status: 503,
        headers: { 'Retry-After': expect.stringMatching(/^[1-9]$/) },
      });
    }
  });

  it.each(['55P03', '40001', '40P01', 'EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL'])(
    'returns OVERLOADED for %s',
    (code) => {
      expect(databaseError(failed({ code }))).toMatchObject({
        code: 'OVERLOADED',
        status: 503,
        headers: { 'Retry-After': '1' },
      });
    },
  );

  it.each(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'ETIMEDOUT'])('returns 503 for %s', (code) => {
    expect(databaseError(system(code))).toMatchObject({ code: 'DB_ERROR', status: 503 });
  });

  it.each([
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'Client was closed and is not queryable',
  ])('returns 503 for a pg error without a code: %s', (text) => {
    expect(databaseError(new Error(text))).toMatchObject({ code: 'DB_ERROR', status: 503 });
  });

  it('returns OVERLOADED when the pool had no connection in time', () => {
    expect(databaseError(new Error('timeout exceeded when trying to connect'))).toMatchObject({
      code: 'OVERLOADED',
      headers: { 'Retry-After': '1' },
    });
  });

  it.each(['42P01', '23505', '22P02', '57014', '58P01', '25001', 'XX000'])(
    'returns 500 for SQLSTATE %s',
    (code) => {
      const error = databaseError(failed({ code }));
      expect(error).toMatchObject({ code: 'DB_ERROR', status: 500 });
      expect(error?.message).not.toMatch(/secret|users/);
    },
  );

  it.each(['57014', '57P01', 'ECONNRESET'])(
    'returns TIMEOUT for %s once the request has timed out',
    (code) => {
      expect(afterTheLimit(() => databaseError(failed({ code })))).toMatchObject({
        code: 'TIMEOUT',
        status: 504,
      });
      expect(afterTheLimit(() => databaseError(failed({ code: '42P01' })))).toMatchObject({
        code: 'DB_ERROR',
      });
    },
  );

  it.each([new QueryRunnerAlreadyReleasedError(), new QueryRunnerProviderAlreadyReleasedError()])(
    'returns 503 for a connection that broke between two statements: %p',
    (error) => {
      expect(databaseError(error)).toMatchObject({ code: 'DB_ERROR', status: 503 });
    },
  );

  it.each([new Error('no'), new TypeError('x is undefined'), null, undefined, 'text', 5, { code: 5 }, {}])(
    'returns null for an error that is not from the database: %p',
    (error) => {
      expect(databaseError(error)).toBeNull();
    },
  );
});

describe('isTransient', () => {
  it.each([
    ['40001', true],
    ['40P01', true],
    ['40002', false],
    ['23505', false],
    ['57014', false],
  ])('%s: %s', (code, retried) => {
    expect(isTransient(failed({ code }))).toBe(retried);
  });
});

describe('violatesUnique', () => {
  it('compares the constraint name', () => {
    const error = failed({ code: '23505', constraint: 'users_email_key_key' });
    expect(violatesUnique(error, 'users_email_key_key')).toBe(true);
    expect(violatesUnique(error, 'users_pkey')).toBe(false);
    expect(
      violatesUnique(failed({ code: '23503', constraint: 'users_email_key_key' }), 'users_email_key_key'),
    ).toBe(false);
  });
});
