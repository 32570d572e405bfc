import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import type { EmbeddedUrls } from '../../../src/platform/embedded-postgres/roles.js';

/** A program that keeps a separate cluster until its input ends. */
const HOLD_CLUSTER = `
  const { joinEmbeddedPostgres } = await import('./dist/src/platform/embedded-postgres/embedded-postgres.js');
  const cluster = await joinEmbeddedPostgres({ dataDir: process.argv[1], notice() {} });
  console.log(JSON.stringify(cluster.urls));
  process.stdin.resume().once('end', () => cluster.leave());`;

interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** The authority of clients that sign in with a certificate. */
  readonly clients: string;
}

/** A real PostgreSQL with TLS. */
export class TlsPostgres {
  private constructor(
    private readonly holder: ChildProcess,
    private readonly folder: string,
    readonly urls: EmbeddedUrls,
  ) {}

  /** Starts the server with `rules` before all others in its pg_hba.conf. */
  static async start(files: TlsFiles, rules: readonly string[]): Promise<TlsPostgres> {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-tls-'));
    const holder = spawn(process.execPath, ['--input-type=module', '--eval', HOLD_CLUSTER, folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface({ input: holder.stdout }), 'line')) as [string];
    const server = new TlsPostgres(holder, folder, JSON.parse(line) as EmbeddedUrls);
    await server.switchOn(files, rules);
    return server;
  }

  /** Runs statements as a superuser, one after the other. */
  async query<Row extends pg.QueryResultRow>(...statements: string[]): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.urls.superuserUrl });
    await client.connect();
    try {
      let rows: Row[] = [];
      for (const statement of statements) ({ rows } = await client.query<Row>(statement));
      return rows;
    } finally {
      await client.end();
    }
  }

  async stop(): Promise<void> {
    const ended = once(this.holder, 'exit');
    this.holder.stdin?.end();
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }

  private async switchOn({ cert, key, clients }: TlsFiles, rules: readonly string[]): Promise<void> {
    const [found] = await this.query<{ dir: string; hba: string }>(
      `SELECT current_setting('data_directory') AS dir, current_setting('hba_file') AS hba`,
    );
    if (!found) throw new Error('the server has no folder');
    const { uid, gid } = await stat(found.dir);
    for (const [from, name] of [
      [cert, 'server.crt'],
      [key, 'server.key'],
      [clients, 'clients.crt'],
    ] as const) {
      const to = join(found.dir, name);
      await copyFile(from, to);
      await chmod(to, 0o600);
      await chown(to, uid, gid);
    }
    await writeFile(found.hba, `${rules.join('\n')}\n${await readFile(found.hba, 'utf8')}`);
    await this.query(
      `ALTER SYSTEM SET ssl_ca_file = 'clients.crt'`,
      'ALTER SYSTEM SET ssl = on',
      'SELECT pg_reload_conf()',
    );
  }
}
