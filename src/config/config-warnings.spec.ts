import { describe, expect, it } from '@jest/globals';
import { MASTER_KEY } from '../../test/support/app/secrets.js';
import { readConfig } from './config.js';
import { editDistance } from './edit-distance.js';
import { configWarnings } from './config-warnings.js';

const warningsOf = (environment: Readonly<Record<string, string>>): string[] =>
  configWarnings(readConfig(environment), environment);

describe('configWarnings', () => {
  it.each([
    ['DATABASE_URI', 'DATABASE_URL'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['DATABSAE_URL', 'DATABASE_URL'],
    ['database_url', 'DATABASE_URL'],
    ['MASTER_KEY_FLIE', 'MASTER_KEY_FILE'],
    ['TRUST_PROXIES', 'TRUSTED_PROXIES'],
    ['PROT', 'PORT'],
    ['TRUSTED_PROXY', 'TRUSTED_PROXIES'],
    ['TRUST_PROXY', 'TRUSTED_PROXIES'],
    ['SHUTDOWN_GRACE', 'SHUTDOWN_GRACE_MS'],
    ['SHUTDOWN_GRACE_SECONDS', 'SHUTDOWN_GRACE_MS'],
    ['ACCESS_TOKEN_TTL', 'ACCESS_TOKEN_TTL_SECONDS'],
    ['BODY_LIMIT', 'BODY_LIMIT_BYTES'],
    ['REQUEST_TIMEOUT', 'REQUEST_TIMEOUT_MS'],
  ])('suggests for %s the variable %s', (name, meant) => {
    expect(warningsOf({ [name]: 'x' })).toEqual([`${name} is not a known variable; did you mean ${meant}?`]);
  });

  it('warns that only secrets can be read from files', () => {
    expect(warningsOf({ PORT_FILE: '/x' })).toEqual(['PORT_FILE is ignored because PORT is not a secret']);
  });

  it('ignores known variables and those of other programs', () => {
    const environment = { HOME: '/', PATH: '/', TERM: 'x', HOSTNAME: 'x', LOGNAME: 'x', LANG: 'C' };
    const compose = {
      POSTGRES_PASSWORD: 'x',
      REDIS_PASSWORD: 'x',
      SERVICE_PASSWORD: 'x',
      OWNER_PASSWORD: 'x',
    };
    expect(warningsOf({ ...environment, ...compose, npm_config_port: '1', PORT: '1' })).toEqual([]);
  });

  it('warns about a missing PUBLIC_URL or ADMIN_EMAIL in production', () => {
    const production = { NODE_ENV: 'production', MASTER_KEY, METRICS_TOKEN: 'a-token-of-sixteen' };
    expect(warningsOf(production)).toEqual([
      expect.stringContaining('PUBLIC_URL is not set'),
      expect.stringContaining('ADMIN_EMAIL is not set'),
    ]);
    const given = { PUBLIC_URL: 'https://a.example', ADMIN_EMAIL: 'a@a.example' };
    expect(warningsOf({ ...production, ...given })).toEqual([]);
    expect(warningsOf({})).toEqual([]);
  });
});

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['ab', 'ba', 1],
    ['abc', 'acb', 1],
    ['same', 'same', 0],
  ])('between %j and %j is %d', (a, b, distance) => {
    expect([editDistance(a, b), editDistance(b, a)]).toEqual([distance, distance]);
  });
});
