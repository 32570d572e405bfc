import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cancelQuery } from '../../../src/platform/database/driver/connections/cancel-query.js';
import { connectForStart } from '../../../src/platform/database/startup/start-connection.js';
import { Authority, noOpenssl } from '../../support/database/certificates.js';
import { Instance } from '../../support/app/instance.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { ADMIN } from '../../support/app/test-app.js';
import { TlsPostgres } from '../../support/database/tls-postgres.js';
import { until } from '../../support/app/until.js';
import { wherePossible } from '../../support/app/where-possible.js';

const IS_ENCRYPTED = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
const ROLES = ['tls_only', 'plain_only', 'cert_only'] as const;
const RULES = [
  'hostssl all tls_only all trust',
  'hostnossl all plain_only all trust',
  'hostssl all cert_only all cert',
  ...ROLES.map((role) => `host all ${role} all reject`),
];

wherePossible(noOpenssl, 'TLS to the database', () =>
  describe('TLS to the database', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-certificates-'));
    let server: TlsPostgres;
    /** The files that addresses refer to in braces. */
    const files: Record<string, string> = {};
    beforeAll(async () => {
      const ours = Authority.make(folder, 'ours');
      const { cert, key } = ours.sign('server', 'localhost');
      const client = ours.sign('cert_only', 'client');
      Object.assign(files, { ours: ours.cert, other: Authority.make(folder, 'other').cert });
      Object.assign(files, { cert: client.cert, key: client.key });
      server = await TlsPostgres.start({ cert, key, clients: ours.cert }, RULES);
      await server.query(...ROLES.map((role) => `CREATE ROLE ${role} LOGIN`));
      await until(async () => (await encrypted('?sslmode=prefer')) === true);
    });
    afterAll(async () => {
      await server?.stop();
      rmSync(folder, { recursive: true });
    });

    function address(
      parameters: string,
      { host = '127.0.0.1', role = '', as = server.urls.url } = {},
    ): string {
      const url = new URL(as);
      url.hostname = host;
      if (role) url.username = role;
      return (
        url.href +
        parameters.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(files[name] ?? ''))
      );
    }

    async function encrypted(
      parameters: string,
      to: { host?: string; role?: string } = {},
    ): Promise<unknown> {
      const client = await connectForStart({ name: 'DATABASE_URL', url: address(parameters, to) });
      try {
        return (await client.query<{ ssl: boolean }>(IS_ENCRYPTED)).rows[0]?.ssl;
      } finally {
        await client.end();
      }
    }

    it.each([
      ['', {}, false],
      ['?sslmode=disable', {}, false],
      ['?sslmode=allow', {}, false],
      ['?sslmode=allow', { role: 'tls_only' }, true],
      ['?sslmode=prefer', {}, true],
      ['?sslmode=prefer', { role: 'plain_only' }, false],
      ['?sslmode=prefer&sslrootcert={other}', {}, false],
      ['?sslmode=require', {}, true],
      ['?sslmode=no-verify', {}, true],
      ['?sslmode=require&sslrootcert={ours}', {}, true],
      ['?sslmode=verify-ca&sslrootcert={ours}', {}, true],
      ['?sslmode=verify-full&sslrootcert={ours}', { host: 'localhost' }, true],
      ['?sslmode=require&sslcert={cert}&sslkey={key}', { role: 'cert_only' }, true],
    ] as const)('with %s and %j connects, encrypted: %s', async (parameters, to, expected) => {
      expect(await encrypted(parameters, to)).toBe(expected);
    });

    it.each([
      ['?sslmode=require', { role: 'plain_only' }, 'pg_hba.conf rejects'],
      ['?sslmode=require&sslrootcert={other}', {}, 'certificate'],
      ['?sslmode=verify-ca&sslrootcert={other}', {}, 'certificate'],
      ['?sslmode=verify-full&sslrootcert={ours}', {}, 'does not match certificate'],
      ['?sslmode=verify-full', { host: 'localhost' }, 'certificate'],
      ['?ssl=true', { host: 'localhost' }, 'certificate'],
      ['?sslmode=require', { role: 'cert_only' }, 'certificate'],
    ] as const)('with %s and %j is refused', async (parameters, to, reason) => {
      await expect(encrypted(parameters, to)).rejects.toThrow(reason);
    });

    it('also encrypts the cancellation of a query', async () => {
      const url = address('?sslmode=verify-ca&sslrootcert={ours}');
      const client = await connectForStart({ name: 'DATABASE_URL', url });
      const { host, port, ssl, processID, secretKey } = client as unknown as Parameters<
        typeof cancelQuery
      >[0] & {
        processID: number;
        secretKey: number;
      };
      const slept = expect(client.query('SELECT pg_sleep(20)')).rejects.toMatchObject({ code: '57014' });
      await until(async () => {
        const busy = `SELECT 1 FROM pg_stat_activity WHERE pid = ${processID} AND state = 'active'`;
        return (await server.query(busy)).length === 1;
      });
      cancelQuery({ host, port, ssl, processId: processID, secretKey });
      await slept;
      await client.end();
    });

    const ENV = { NODE_ENV: 'production', MASTER_KEY, ADMIN_PASSWORD: ADMIN.password, LOG_LEVEL: 'warn' };
    const environment = (own: string, owner: string) => ({
      ...ENV,
      METRICS_TOKEN: 'sixteen characters or so',
      DATABASE_URL: address(own, { host: 'localhost' }),
      MIGRATION_DATABASE_URL: address(owner, { as: server.urls.ownerUrl }),
    });

    it('works for operator commands without extra output', async () => {
      const verified = '?sslmode=verify-ca&sslrootcert={ours}';
      const child = spawn(process.execPath, ['dist/src/operator/rotate-keys.js'], {
        env: { PATH: process.env['PATH'] ?? '', ...environment(verified, verified) },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const [stdout, stderr] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'exit'),
      ]);
      expect({ stdout, stderr }).toEqual({
        stdout: expect.stringMatching(/^Published the signing key \S+\n$/),
        stderr: '',
      });
    });

    it('encrypts every connection of an instance and warns in production about an unverified server', async () => {
      const env = environment('?sslmode=verify-full&sslrootcert={ours}', '?sslmode=require');
      const instance = await Instance.startInProduction({ env });
      try {
        const connections = await server.query<{ name: string; ssl: boolean }>(
          `SELECT DISTINCT application_name AS name, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
           WHERE application_name ~ '^gatehouse' AND usename = 'gatehouse_service' ORDER BY 1`,
        );
        expect(connections).toEqual(
          ['gatehouse', 'gatehouse:jobs', 'gatehouse:listen'].map((name) => ({ name, ssl: true })),
        );
        const warnings = instance.stdout
          .split('\n')
          .filter((line) => line.includes('does not verify the server'));
        expect(warnings).toEqual([
          expect.stringMatching(
            /"level":"warn".*"msg":"MIGRATION_DATABASE_URL does not verify the server \(sslmode=require\)/,
          ),
        ]);
        expect(instance.stderr).toBe('');
      } finally {
        await instance.stop();
      }
    });
  }),
);
