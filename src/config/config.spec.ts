import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MASTER_KEY } from '../../test/support/app/secrets.js';
import express from 'express';
import fc from 'fast-check';
import { ConfigError, readConfig } from './config.js';
import type { Environment } from './environment.js';
import { variables } from './config.schema.js';

const PRODUCTION = { NODE_ENV: 'production', MASTER_KEY, METRICS_TOKEN: 'a-token-of-sixteen' };

function faultsOf(environment: Environment): readonly string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

describe('readConfig', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (name: string, content: string) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };

  it('requires nothing outside production', () => {
    expect(readConfig({})).toMatchObject({
      PORT: 3000,
      HOST: '127.0.0.1',
      CORS_ORIGINS: ['http://localhost:*'],
      DOCS: true,
    });
  });

  it('returns a frozen object', () => {
    const config = readConfig({});
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('treats an empty value as absent', () => {
    expect(readConfig({ PORT: '', DATABASE_URL: '' })).toMatchObject({ PORT: 3000, DATABASE_URL: undefined });
  });

  it('lists every error in one message', () => {
    const faults = faultsOf({
      PORT: '70000',
      DOCS: 'yes',
      DATABASE_URL: 'mysql://x',
      LOG_LEVEL: 'loud',
      DB_POOL_MAX: '1e3',
    });
    expect(faults.map((fault) => fault.split(' ', 1).join()).toSorted()).toEqual([
      'DATABASE_URL',
      'DB_POOL_MAX',
      'DOCS',
      'LOG_LEVEL',
      'PORT',
    ]);
    expect(() => readConfig({ PORT: '70000', DOCS: 'yes' })).toThrow(/PORT .*; DOCS |DOCS .*; PORT /);
  });

  it.each(['-1', '1.5', '0x10', '1e3', ' 3000', 'NaN', '99999999999999999999'])(
    'rejects %s as a port',
    (PORT) => {
      expect(faultsOf({ PORT })).toEqual([expect.stringMatching(/^PORT must be a whole number/)]);
    },
  );

  it.each(['TRUE', '1', 'yes', 'on', ' true'])('rejects %s as a boolean', (DOCS) => {
    expect(faultsOf({ DOCS })).toEqual(['DOCS must be true or false']);
  });

  it.each([
    ['METRICS_TOKEN', 'aaaaaaaaaaaaaaaaaaaaaaaa'],
    ['METRICS_TOKEN', 'passwordpassword'],
    ['METRICS_TOKEN', '1234567890123456'],
    ['METRICS_TOKEN', 'abcdefghijklmnopqrstuvwxyz'],
    ['METRICS_TOKEN', 'zyxwvutsrqponmlkjihg'],
    ['METRICS_TOKEN', 'change-me-in-production'],
    ['METRICS_TOKEN', 'replace_this_with_a_token'],
    ['METRICS_TOKEN', 'your-metrics-token-here'],
    ['MASTER_KEY', Buffer.alloc(32, 7).toString('base64')],
    ['MASTER_KEY', Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString('base64')],
    ['MASTER_KEY', Buffer.from('abcdefghijklmnopqrstuvwxyz012345').toString('base64')],
  ])('rejects a %s that is a sample value: %s', (name, value) => {
    expect(faultsOf({ [name]: value })).toEqual([
      `${name} must be random, but this looks like a sample value`,
    ]);
  });

  it('accepts every random METRICS_TOKEN', () => {
    for (let i = 0; i < 1000; i++) {
      expect(faultsOf({ METRICS_TOKEN: randomBytes(24).toString(i % 2 ? 'hex' : 'base64url') })).toEqual([]);
    }
  });

  it('never includes the value of a secret in an error', () => {
    const secrets = { MASTER_KEY: 'hunter2', DATABASE_URL: 'http://hunter2@host', METRICS_TOKEN: 'hunter2' };
    expect(faultsOf(secrets)).toHaveLength(3);
    expect(() => readConfig(secrets)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    );
  });

  it.each([
    ['sslmode=loud', 'has an unknown sslmode; it must be one of disable, allow,'],
    [
      'sslmode=verify-full&sslrootcert=/nowhere/ca.crt',
      'names an sslrootcert that cannot be read (ENOENT: /nowhere/ca.crt)',
    ],
    [
      'sslmode=verify-full&sslrootcert=package.json',
      'names an sslrootcert that contains no PEM certificate (package.json)',
    ],
    [
      'sslmode=verify-ca',
      'needs sslrootcert, a file with the certificate of the authority, for sslmode=verify-ca',
    ],
    ['sslmode=require&sslrootcert=system', 'needs sslmode=verify-full for sslrootcert=system'],
    ['sslmode=require&sslcert=/nowhere/own.crt', 'needs both sslcert and sslkey, or neither'],
    ['sslmode=require&sslcert=package.json&sslkey=package.json', 'has TLS files that do not match'],
    ['sslmode=require&sslcrl=/nowhere/crl.pem', 'has the parameter sslcrl, which is not supported'],
    ['sslmode=require&ssl_min_protocol_version=TLSv1', 'has a ssl_min_protocol_version other than'],
  ])('names the variable at fault for an address with %s', (parameters, fault) => {
    for (const name of ['DATABASE_URL', 'MIGRATION_DATABASE_URL', 'LISTEN_DATABASE_URL']) {
      const faults = faultsOf({
        DATABASE_URL: 'postgres://localhost/db',
        [name]: `postgres://somebody:hunter2@localhost/db?${parameters}`,
      });
      expect(faults).toEqual([expect.stringContaining(`${name} ${fault}`)]);
      expect(faults.join()).not.toContain('hunter2');
    }
  });

  it.each(['MIGRATION_DATABASE_URL', 'LISTEN_DATABASE_URL'])('rejects %s without DATABASE_URL', (name) => {
    const address = 'postgres://localhost/db';
    const fault = `${name} must not be set without DATABASE_URL; set both or neither`;
    expect(faultsOf({ [name]: address })).toEqual([fault]);
    expect(faultsOf({ [name]: address, DATABASE_URL: 'mysql://x' })).toHaveLength(1);
    expect(faultsOf({ [name]: address, DATABASE_URL: address })).toEqual([]);
  });

  it.each([
    [{ PGSSLMODE: 'loud' }, 'PGSSLMODE must be one of disable, allow,'],
    [{ PGSSLMODE: 'verify-ca' }, 'PGSSLMODE needs sslrootcert'],
    [
      { PGSSLMODE: 'require', PGSSLROOTCERT: '/nowhere/ca.crt' },
      'PGSSLROOTCERT names an sslrootcert that cannot',
    ],
    [
      { PGSSLMODE: 'require', PGSSLROOTCERT: 'package.json' },
      'PGSSLROOTCERT names an sslrootcert that contains no',
    ],
    [{ PGSSLMODE: 'require', PGSSLROOTCERT: 'system' }, 'PGSSLROOTCERT needs sslmode=verify-full'],
  ])('names the TLS default at fault in %j once', (defaults, fault) => {
    const url = 'postgres://localhost/db';
    Object.assign(process.env, defaults);
    try {
      const faults = faultsOf({ DATABASE_URL: url, MIGRATION_DATABASE_URL: url });
      expect(faults).toEqual([expect.stringContaining(fault)]);
    } finally {
      for (const name of Object.keys(defaults)) delete process.env[name];
    }
  });

  it('accepts proxy networks of the size that one organization holds', () => {
    const { TRUSTED_PROXIES } = readConfig({ TRUSTED_PROXIES: '10.0.0.0/8,2001::/16,::ffff:10.0.0.0/104' });
    expect(TRUSTED_PROXIES).toEqual(['10.0.0.0/8', '2001::/16', '10.0.0.0/8']);
  });

  it('replaces every error message of the library', () => {
    const garbage = Object.fromEntries(Object.keys(variables).map((name) => [name, '\u0000 ,%zz']));
    const faults = faultsOf({ ...garbage, DATA_DIR: '', MAIL_DIR: '' });
    expect(faults.length).toBeGreaterThan(30);
    for (const fault of faults) {
      expect(fault).toMatch(/^[A-Z_]+ (?:must |is not valid|cannot |and )/);
      expect(fault).not.toMatch(/expected|received|invalid|string|regex|too (?:small|big)/i);
    }
    const empty = file('empty', '');
    expect(faultsOf({ METRICS_TOKEN_FILE: empty })).toEqual([
      expect.stringMatching(/^METRICS_TOKEN must have/),
    ]);
    expect(faultsOf({ ADMIN_PASSWORD_FILE: empty })).toEqual([
      expect.stringMatching(/^ADMIN_PASSWORD must have/),
    ]);
  });

  it.each([
    { TRUSTED_PROXIES: '0.0.0.0/0' },
    { TRUSTED_PROXIES: '10.0.0.1, ::/0' },
    { TRUSTED_PROXIES: '0.0.0.0/1,128.0.0.0/1' },
    { TRUSTED_PROXIES: '10.0.0.0/7' },
    { TRUSTED_PROXIES: '2000::/15' },
    { TRUSTED_PROXIES: '::/64' },
    { TRUSTED_PROXIES: '::ffff:10.0.0.0/103' },
    { TRUSTED_PROXIES: '::ffff:10.0.0.0/96' },
    { TRUSTED_PROXIES: '10.0.0.0/33' },
    { TRUSTED_PROXIES: '10.0.0.0/8/8' },
    { TRUSTED_PROXIES: 'fe80::1%eth0' },
    { TRUSTED_PROXIES: 'proxy.example.com' },
    { HOST: 'localhost:3000' },
    { HOST: '300.1.1.1' },
    { PUBLIC_URL: 'https://a.example/?x=1' },
    { PUBLIC_URL: 'https://user@a.example' },
    { PUBLIC_URL: 'https://a.example/base' },
    { PUBLIC_URL: 'https://a.example/base/' },
    { PUBLIC_URL: 'https://a.example//x' },
    { REDIS_URL: 'redis://localhost/first' },
    { EVENTS_REDIS_STREAM: 'events' },
    { EVENTS_REDIS_STREAM: 'two words', REDIS_URL: 'redis://localhost' },
    { EVENTS_REDIS_PERSONAL_DATA: 'yes' },
    { DATABASE_URL: 'postgres://a:%zz@localhost/x' },
    { ADMIN_EMAIL: 'somebody' },
    { ADMIN_PASSWORD: 'short' },
    { PRODUCT_NAME: 'x'.repeat(65) },
    { PRODUCT_NAME: 'a\nb' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://collector:4317' },
    { OTEL_EXPORTER_OTLP_HEADERS: 'no-value' },
    { OTEL_EXPORTER_OTLP_HEADERS: 'a b=c' },
    { OTEL_EXPORTER_OTLP_HEADERS: 'a=%0d%0aevil: 1' },
    { OTEL_EXPORTER_OTLP_TIMEOUT: '0' },
    { OTEL_RESOURCE_ATTRIBUTES: 'a=%' },
    { OTEL_TRACES_SAMPLER_ARG: '1.1' },
    { OTEL_TRACES_SAMPLER_ARG: '-0.1' },
    { OTEL_TRACES_SAMPLER_ARG: '1e-2' },
    { OTEL_TRACES_SAMPLER_ARG: '1%' },
    { MAIL_FROM: 'nobody' },
    { MAIL_FROM: 'A <a@b.example> B' },
    { MAIL_FROM: 'A <a@b.example>, C <c@d.example>' },
    { MAIL_FROM: 'A\r\nBcc: x@y.example <a@b.example>' },
    { MAIL_LINK_VERIFY: 'https://a.example/verify' },
    { MAIL_LINK_RESET: 'javascript:alert({token})' },
    { MAIL_LINK_INVITE: 'https://{token}.example/' },
    { MAIL_LINK_INVITE: 'https://user:{token}@a.example/' },
    { MAIL_LINK_INVITE: 'https://a.example/{token}/{id}' },
    { MAIL_LINK_INVITE: `https://a.example/{token}${'x'.repeat(2000)}` },
  ])('names the variable at fault in %j', (environment) => {
    const [name = ''] = Object.keys(environment);
    expect(faultsOf(environment)).toEqual([expect.stringMatching(new RegExp(`^${name} must `))]);
  });

  it('rejects every proxy network that Express cannot use', () => {
    const v4 = fc.tuple(fc.ipV4(), fc.nat(40));
    const v6 = fc.tuple(
      fc.oneof(
        fc.ipV6(),
        fc.ipV4().map((address) => `::ffff:${address}`),
      ),
      fc.nat(140),
    );
    const network = fc.oneof(v4, v6).map(([address, bits]) => `${address}/${bits}`);
    fc.assert(
      fc.property(fc.oneof(network, fc.ipV4Extended(), fc.ipV6(), fc.string()), (value) => {
        if (faultsOf({ TRUSTED_PROXIES: value }).length > 0) return;
        const { TRUSTED_PROXIES } = readConfig({ TRUSTED_PROXIES: value });
        expect(() => express().set('trust proxy', [...TRUSTED_PROXIES])).not.toThrow();
      }),
      { numRuns: 2000 },
    );
  });

  describe('PUBLIC_URL', () => {
    it.each([
      [{}, 'http://localhost:3000'],
      [{ PORT: '3101' }, 'http://localhost:3101'],
      [{ PORT: '3101', HOST: '0.0.0.0' }, 'http://localhost:3101'],
      [{ HOST: '192.0.2.7' }, 'http://192.0.2.7:3000'],
      [{ HOST: '2001:db8::7' }, 'http://[2001:db8::7]:3000'],
      [{ PORT: '3101', PUBLIC_URL: 'https://a.example:8443/' }, 'https://a.example:8443'],
    ])('with %j is %s', (environment: Environment, address) => {
      expect(readConfig(environment).PUBLIC_URL).toBe(address);
    });
  });

  it('reads the lists and the share of OpenTelemetry', () => {
    expect(
      readConfig({
        OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example:4318/',
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20abc%3D, x-scope = a=b ,',
        OTEL_TRACES_SAMPLER_ARG: '0.25',
      }),
    ).toMatchObject({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example:4318',
      OTEL_EXPORTER_OTLP_HEADERS: { authorization: 'Bearer abc=', 'x-scope': 'a=b' },
      OTEL_TRACES_SAMPLER_ARG: 0.25,
    });
    expect(readConfig({}).OTEL_TRACES_SAMPLER_ARG).toBe(0.01);
  });

  it('checks relations between variables', () => {
    expect(faultsOf({ DB_POOL_MIN: '11' })).toEqual(['DB_POOL_MIN must not exceed DB_POOL_MAX']);
    expect(faultsOf({ SHUTDOWN_GRACE_MS: '25000' })).toEqual([expect.stringMatching(/SHUTDOWN_GRACE_MS/)]);
  });

  describe('CORS_ORIGINS', () => {
    it('ignores white space and empty items', () => {
      const { CORS_ORIGINS } = readConfig({ CORS_ORIGINS: ' https://a.example , http://localhost:5173,, ' });
      expect(CORS_ORIGINS).toEqual(['https://a.example', 'http://localhost:5173']);
    });

    it('allows any localhost port by default and none in production', () => {
      expect(readConfig({}).CORS_ORIGINS).toEqual(['http://localhost:*']);
      expect(readConfig(PRODUCTION).CORS_ORIGINS).toEqual([]);
      const mixed = 'https://a.example,http://localhost:*';
      expect(readConfig({ CORS_ORIGINS: mixed }).CORS_ORIGINS).toEqual(mixed.split(','));
      expect(faultsOf({ ...PRODUCTION, CORS_ORIGINS: mixed })).toEqual([
        'CORS_ORIGINS must name exact origins in production, not http://localhost:*',
      ]);
    });

    it.each([
      '*',
      'null',
      'https://localhost:*',
      'http://localhost.example:*',
      'http://127.0.0.1:*',
      'https://a.example/',
      'https://*.example',
      'a.example',
      'https://A.example',
      'file:///x',
      'https://a.example/path',
    ])('rejects %s, alone or in a list', (origin) => {
      expect(faultsOf({ CORS_ORIGINS: origin })).toHaveLength(1);
      expect(faultsOf({ CORS_ORIGINS: `https://ok.example,${origin}` })).toHaveLength(1);
    });
  });

  describe('<NAME>_FILE', () => {
    it('reads a secret without the final line break', () => {
      const METRICS_TOKEN_FILE = file('token', 'a-token-of-sixteen\n');
      expect(readConfig({ METRICS_TOKEN_FILE }).METRICS_TOKEN).toBe('a-token-of-sixteen');
    });

    it('rejects a secret given twice, and a missing file', () => {
      const METRICS_TOKEN_FILE = file('both', 'a-token-of-sixteen');
      expect(faultsOf({ METRICS_TOKEN_FILE, METRICS_TOKEN: 'a-token-of-sixteen' })).toEqual([
        'METRICS_TOKEN and METRICS_TOKEN_FILE are both set; set only one',
      ]);
      expect(faultsOf({ METRICS_TOKEN_FILE: join(folder, 'nowhere') })).toEqual([
        'METRICS_TOKEN_FILE cannot be read',
      ]);
    });

    it('validates the content like any value', () => {
      expect(faultsOf({ MASTER_KEY_FILE: file('short', 'AAAA') })).toEqual([
        expect.stringMatching(/^MASTER_KEY must be 32 bytes/),
      ]);
    });

    it('ignores files for variables that are not secrets', () => {
      expect(readConfig({ PORT_FILE: file('port', '80') }).PORT).toBe(3000);
    });
  });

  describe('in production', () => {
    it('requires the secrets and lists all missing ones at once', () => {
      expect(faultsOf({ NODE_ENV: 'production' })).toEqual([
        'MASTER_KEY is required in production',
        'METRICS_TOKEN is required in production',
        'ADMIN_PASSWORD is required for the first start in production',
      ]);
      // Only the database knows whether this is the first start.
      expect(faultsOf(PRODUCTION)).toEqual([]);
    });

    it('hides the documentation by default', () => {
      expect(readConfig(PRODUCTION).DOCS).toBe(false);
      expect(readConfig({ ...PRODUCTION, DOCS: 'true' }).DOCS).toBe(true);
    });

    it.each([
      ['zeros', Buffer.alloc(32).toString('base64')],
      ['one repeated character', Buffer.from('a'.repeat(32)).toString('base64')],
      ['too few bytes', Buffer.from('x'.repeat(16)).toString('base64')],
      ['words', 'change-me'],
      ['hexadecimal', 'ab'.repeat(32)],
    ])('rejects a master key of %s', (_, key) => {
      expect(faultsOf({ ...PRODUCTION, MASTER_KEY: key })).toEqual([
        expect.stringMatching(/^MASTER_KEY must be/),
      ]);
    });
  });
});
