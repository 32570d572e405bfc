import type { Server } from 'node:http';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { register } from 'prom-client';
import supertest from 'supertest';
import { DataSource } from 'typeorm';
import { createApp } from '../../../src/app.js';
import { type Config, readConfig } from '../../../src/config/config.js';
import { SessionsService } from '../../../src/modules/auth/sessions/sessions.service.js';
import { TokensService } from '../../../src/modules/auth/sessions/tokens.service.js';
import { FirstAdministratorService } from '../../../src/modules/users/first-start/first-administrator.service.js';
import { UsersService } from '../../../src/modules/users/users.service.js';
import { poolOf } from '../../../src/platform/database/database.module.js';
import { LifecycleService } from '../../../src/platform/lifecycle/lifecycle.service.js';
import { MASTER_KEY } from './secrets.js';
import { closeConnections } from '../http/send.js';
import { TestDatabase } from '../database/test-database.js';
import { UNLIMITED } from './unlimited.js';
import { until } from './until.js';

export const ADMIN = { email: 'admin@gatehouse.local', password: 'only for the tests 7' } as const;
export const PASSWORD = 'correct horse battery';

export interface TestUser {
  readonly id: string;
  readonly email: string;
  readonly token: string;
}

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete' | 'head' | 'options';

interface Created {
  readonly config?: Partial<Config>;
  /** A database to share between several apps. */
  readonly database?: TestDatabase;
}

let addresses = 0;

/** The whole service in this process with its own database; the only entry point for e2e tests. */
export class TestApp {
  private constructor(
    readonly nest: NestExpressApplication,
    readonly database: TestDatabase,
    readonly url: string,
    readonly admin: TestUser,
    private readonly ownsDatabase: boolean,
  ) {}

  static async create({ config, database }: Created = {}): Promise<TestApp> {
    const own = database ?? (await TestDatabase.create());
    const environment = {
      NODE_ENV: 'test',
      LOG_LEVEL: 'silent',
      ...own.addresses,
      ...UNLIMITED,
      ADMIN_PASSWORD: ADMIN.password,
      MASTER_KEY,
    };
    // prom-client's registry is global, and an earlier app of this worker filled it.
    register.clear();
    const nest = await createApp({ ...readConfig(environment), ...config });
    await nest.init();
    await nest.get(FirstAdministratorService).ensure();
    await nest.listen(0, '127.0.0.1');
    nest.get(LifecycleService).serve();
    const url = (await nest.getUrl()).replace('[::1]', '127.0.0.1');
    const admin = await signedIn(nest, ADMIN.email);
    return new TestApp(nest, own, url, admin, database === undefined);
  }

  /** Creates an anonymous request. */
  request(method: Method, path: string): supertest.Test {
    return supertest(this.url)[method](path);
  }

  /** Creates a request of the user. */
  as(user: TestUser, method: Method, path: string): supertest.Test {
    return this.request(method, path).auth(user.token, { type: 'bearer' });
  }

  /** Signs up a user with a new address, grants the roles, and signs the user in. */
  async createUser(roles: string[] = ['user'], name = 'Somebody'): Promise<TestUser> {
    const email = `somebody-${++addresses}@example.com`;
    const created = await this.request('post', '/api/users').send({ email, name, password: PASSWORD });
    if (created.status !== 201) throw new Error(`sign-up answered ${created.status}: ${created.text}`);
    const { id } = created.body as { id: string };
    if (roles.join() !== 'user') {
      const granted = await this.as(this.admin, 'put', `/api/users/${id}/roles`)
        .set('If-Match', '*')
        .send({ roles });
      if (granted.status !== 200) throw new Error(`granting answered ${granted.status}: ${granted.text}`);
    }
    return signedIn(this.nest, email);
  }

  /** Stops the app. Fails a test that left a transaction or a connection open. */
  async close(): Promise<void> {
    closeConnections();
    try {
      await this.unused();
    } finally {
      await this.nest.close();
      if (this.ownsDatabase) await this.database.drop();
    }
  }

  get server(): Server {
    return this.nest.getHttpServer();
  }

  get dataSource(): DataSource {
    return this.nest.get(DataSource);
  }

  /** Waits until all connections are idle. They return to the pool only just after the response. */
  private unused(): Promise<void> {
    const pool = poolOf(this.dataSource);
    return until(
      () => pool.totalCount === pool.idleCount,
      20_000,
      'every database connection back in the pool',
    );
  }
}

/** Creates a session as sign-in does, but without password hashing, which has its own tests. */
async function signedIn(nest: NestExpressApplication, email: string): Promise<TestUser> {
  const users = nest.get(UsersService);
  const found = await users.findByEmail(email);
  if (!found) throw new Error(`no user has the address ${email}`);
  const user = await users.getWithPassword(found.id);
  const session = await nest.get(SessionsService).start(user, { userAgent: 'tests', ip: '127.0.0.1' });
  if (!session) throw new Error(`the user with the address ${email} may not sign in`);
  return { id: user.id, email, token: nest.get(TokensService).issueAccess(user, session.sessionId) };
}

export async function signIn(url: string, email: string, password: string): Promise<TestUser> {
  const answer = await supertest(url).post('/api/auth/login').send({ email, password });
  if (answer.status !== 200) throw new Error(`sign-in answered ${answer.status}: ${answer.text}`);
  const { access_token: token } = answer.body as { access_token: string };
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    sub: string;
  };
  return { id: claims.sub, email, token };
}
