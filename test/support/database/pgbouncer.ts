import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../app/until.js';
import { freePort } from '../http/free-port.js';

/** The user ID to run as, because PgBouncer refuses to run as root. */
const NOBODY = 65_534;

const version = spawnSync('pgbouncer', ['--version'], { encoding: 'utf8' });

/** The reason why this machine has no pooler; null when it has one. */
export const noPgBouncer: string | null =
  version.status === 0 ? null : 'pgbouncer is not installed (apt-get install pgbouncer)';

/**
 * Configuration lines for a pooler that keeps no prepared statements. Versions before 1.21 never keep any and
 * do not know the parameter.
 */
export const KEEPS_NO_STATEMENTS: readonly string[] =
  Number(/PgBouncer 1\.(\d+)/.exec(version.stdout)?.[1]) >= 21 ? ['max_prepared_statements = 0'] : [];

/** A real PgBouncer in transaction mode. */
export class PgBouncer {
  private constructor(
    private readonly process: ChildProcess,
    private readonly folder: string,
    readonly url: string,
  ) {}

  /** Starts a pooler before the server at `url`. `options` are lines of its configuration. */
  static async before(url: string, options: readonly string[] = []): Promise<PgBouncer> {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-pgbouncer-'));
    const port = await freePort();
    const { hostname, port: target, username, password, pathname } = new URL(url);
    const secret = decodeURIComponent(password).replaceAll("'", "''");
    const server = `host=${hostname} port=${target || 5432} user=${decodeURIComponent(username)} password='${secret}'`;
    const file = join(folder, 'pgbouncer.ini');
    await writeFile(
      file,
      `[databases]
       * = ${server}
       [pgbouncer]
       listen_addr = 127.0.0.1
       listen_port = ${port}
       unix_socket_dir =
       auth_type = any
       pool_mode = transaction
       default_pool_size = 5
       ${options.join('\n')}
      `.replaceAll(/^ +/gm, ''),
    );
    const asRoot = process.getuid?.() === 0;
    if (asRoot) for (const path of [folder, file]) await chown(path, NOBODY, NOBODY);
    const child = spawn('pgbouncer', ['--quiet', file], {
      stdio: 'ignore',
      ...(asRoot && { uid: NOBODY, gid: NOBODY }),
    });
    await until(() => accepts(port), 10_000, 'the pooler accepts connections');
    return new PgBouncer(child, folder, `postgres://anybody@127.0.0.1:${port}${pathname}`);
  }

  async stop(): Promise<void> {
    const ended = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await ended;
    await rm(this.folder, { recursive: true });
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
