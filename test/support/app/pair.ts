import { Instance } from './instance.js';
import { type Answer, bearer, send } from '../http/send.js';
import { TcpProxy } from '../faults/tcp-proxy.js';
import { type TestUser, ADMIN, PASSWORD, signIn } from './test-app.js';
import { TestDatabase } from '../database/test-database.js';
import { MASTER_KEY } from './secrets.js';

/** The contract's bound: the cache is a lease that lasts this long without a heartbeat. */
export const LEASE_MS = 1000;

export type InstanceName = 'here' | 'there';

interface Call {
  readonly method?: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Two real processes on one database. The second one listens through a proxy that can fail. */
export class Pair {
  private constructor(
    readonly database: TestDatabase,
    readonly here: Instance,
    readonly there: Instance,
    readonly path: TcpProxy,
    readonly admin: TestUser,
  ) {}

  static async start(database: TestDatabase): Promise<Pair> {
    const path = await TcpProxy.before(database.serviceUrl);
    const env = {
      NODE_ENV: 'test',
      LOG_LEVEL: 'silent',
      ...database.addresses,
      ADMIN_PASSWORD: ADMIN.password,
      MASTER_KEY,
    };
    const proxied = { LOG_LEVEL: 'warn', LISTEN_DATABASE_URL: path.through(database.serviceUrl) };
    const [here, there] = await Instance.startTwo({ env }, { env: { ...env, ...proxied } });
    const admin = await signIn(here.url, ADMIN.email, ADMIN.password);
    return new Pair(database, here, there, path, admin);
  }

  /**
   * Stops both processes.
   * @returns their exit codes
   */
  async stop(): Promise<(number | null)[]> {
    const codes = await Promise.all([this.here.stop(), this.there.stop()]);
    await this.path.cut();
    return codes;
  }

  /** Returns the server process of the second instance's listening connection; null when it has none. */
  async listenerThere(): Promise<number | null> {
    const [listener] = await this.database.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'gatehouse:listen' AND client_port = ANY ($1)`,
      [this.path.ports],
    );
    return listener?.pid ?? null;
  }

  call(where: InstanceName, user: TestUser | null, { headers, ...call }: Call): Promise<Answer> {
    return send(this[where].url, { ...call, headers: { ...(user && bearer(user)), ...headers } });
  }

  /** Calls the first instance as an administrator and fails unless the call succeeds. */
  async order(call: Call): Promise<Answer> {
    const answer = await this.call('here', this.admin, call);
    if (answer.status >= 300) throw new Error(`${call.method} ${call.path}: ${answer.status} ${answer.text}`);
    return answer;
  }

  setRoles = (user: TestUser, roles: readonly string[]): Promise<Answer> =>
    this.order({
      method: 'PUT',
      path: `/api/users/${user.id}/roles`,
      headers: { 'If-Match': '*' },
      body: { roles },
    });

  async createUser(email: string, roles: readonly string[] = ['user']): Promise<TestUser> {
    const body = { email, password: PASSWORD, name: 'Somebody' };
    const { status, text, json } = await this.call('here', null, {
      method: 'POST',
      path: '/api/users',
      body,
    });
    if (status !== 201) throw new Error(`sign-up answered ${status}: ${text}`);
    const { id } = json as { id: string };
    if (roles.join() !== 'user') await this.setRoles({ id, email, token: '' }, roles);
    return this.signIn(email);
  }

  signIn = (email: string): Promise<TestUser> => signIn(this.here.url, email, PASSWORD);

  /** Returns the number of statements that the instance's pool has sent so far. */
  async statements(where: InstanceName): Promise<number> {
    const { text } = await send(this[where].url, { path: '/metrics' });
    const counts = text.matchAll(/^db_query_duration_seconds_count\{[^}]*\} (\d+)$/gm);
    return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /**
   * Tells whether the instance knows the caller without asking the database. It sends an invalid request,
   * which needs no other query.
   */
  async remembers(where: InstanceName, user: TestUser): Promise<boolean> {
    const refused = () => this.call(where, user, { method: 'PUT', path: '/api/auth/password', body: {} });
    await refused();
    const before = await this.statements(where);
    await refused();
    return (await this.statements(where)) === before;
  }
}
