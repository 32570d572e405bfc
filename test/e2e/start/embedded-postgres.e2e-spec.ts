import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  chmodSync,
  mkdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, describe, expect, it, jest } from '@jest/globals';
import { Client } from 'pg';
import { migrate } from '../../../src/platform/database/startup/migrate.js';
import { expectStopped, Member, processes, serverPid } from '../../support/database/embedded-member.js';
import { until } from '../../support/app/until.js';

// A server usually starts, recovers and stops in well under a second, but not on every machine.
jest.setTimeout(120_000);

const isRoot = process.getuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };
const folders: string[] = [];

function folder(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'gatehouse-embedded-')));
  folders.push(path);
  return path;
}

function clusterOwner(dataDir: string): { uid: number; gid: number } {
  const { uid, gid } = statSync(join(dataDir, 'postgres'));
  return { uid, gid };
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  // A server that crashes during the query also ends the connection, and the query already reports it.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Returns the connections that represent members. */
const membersOf = ({ url }: Member): Promise<unknown[]> =>
  query(
    url,
    `SELECT pid FROM pg_stat_activity JOIN pg_locks USING (pid)
     WHERE application_name = 'gatehouse:member' AND locktype = 'advisory' AND granted`,
  );

// One cluster for all tests that need a good one; each test leaves it stopped.
const shared = join(folder(), 'deep', 'data');

afterEach(async () => {
  for (const child of processes.splice(0)) child.kill('SIGKILL');
  const pid = serverPid(shared);
  if (pid === null) return;
  process.kill(pid, 'SIGINT');
  await until(() => serverPid(shared) === null);
});

afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

describe('embedded PostgreSQL', () => {
  it('is started once by two processes on an empty folder and stopped by the last one to leave', async () => {
    const [first, second] = [new Member(shared), new Member(shared)];
    await Promise.all([first.joined(), second.joined()]);

    expect(second.url).toBe(first.url);
    const notices = [...first.notices, ...second.notices].join('\n');
    expect(notices.match(/creating the database cluster/g)).toHaveLength(1);
    expect(notices.match(/started PostgreSQL/g)).toHaveLength(1);
    expect(notices.match(/joined the running PostgreSQL/g)).toHaveLength(1);

    await first.leave();
    expect(await query(second.url, 'create table kept as select 1 as n')).toEqual([]);
    await second.leave();
    expect(serverPid(shared)).toBeNull();
    expect(second.notices.at(-1)).toBe('stopped PostgreSQL');
  });

  it('is reachable only with the password, on the loopback address, and sorts by code point', async () => {
    const { url, superuserUrl } = await new Member(shared).joined();

    const facts = await query(
      superuserUrl,
      `select current_setting('listen_addresses') as listen, current_setting('unix_socket_directories') as sockets,
         current_setting('server_encoding') as encoding, datlocprovider as provider, current_database() as name
       from pg_database where datname = current_database()`,
    );
    expect(facts).toEqual([
      { listen: '127.0.0.1', sockets: '', encoding: 'UTF8', provider: 'b', name: 'gatehouse' },
    ]);
    const wrong = url.replace(/:[^:@]+@/, ':wrong@');
    await expect(query(wrong, 'select 1')).rejects.toThrow(/password authentication failed/);
    expect(statSync(join(shared, 'postgres.password')).mode & 0o777).toBe(0o600);
    expect(statSync(shared).mode & 0o777).toBe(isRoot ? 0o701 : 0o700);
  });

  it('is taken over after its only member was killed, and then stopped', async () => {
    const killed = await new Member(shared).joined();
    await killed.kill();
    const pid = serverPid(shared);
    expect(pid).not.toBeNull();

    const next = await new Member(shared).joined();
    expect(next.url).toBe(killed.url);
    expect(serverPid(shared)).toBe(pid);
    await next.leave();
    expect(serverPid(shared)).toBeNull();
  });

  it('is stopped by the last member when another one was killed just before', async () => {
    const [killed, other] = [new Member(shared), new Member(shared)];
    await Promise.all([killed.joined(), other.joined()]);
    await killed.kill();
    await other.leave();
    expect(serverPid(shared)).toBeNull();
  });

  it('keeps running for a member after it has crashed and restarted itself', async () => {
    const [first, second] = [new Member(shared), new Member(shared)];
    await Promise.all([first.joined(), second.joined()]);
    const members = () => membersOf(first);
    const before = (await members()) as { pid: number }[];
    process.kill(before[0]?.pid ?? 0, 'SIGKILL');
    // The crash ends all connections; both members return on new ones.
    await until(async () => {
      const now = (await members().catch(() => [])) as { pid: number }[];
      return now.length === 2 && now.every(({ pid }) => !before.some((old) => old.pid === pid));
    });
    await first.leave();
    expect(serverPid(shared)).not.toBeNull();
    await second.leave();
    expect(serverPid(shared)).toBeNull();
  });

  it('is restarted by one of its members, on its port and with its data, when it is killed', async () => {
    const members = [new Member(shared), new Member(shared), new Member(shared)];
    await Promise.all(members.map((each) => each.joined()));
    const [first] = members as [Member];
    const restarts = () =>
      members.flatMap(({ notices }) => notices).filter((each) => /restarted it/.test(each));
    for (const times of [1, 2]) {
      const killed = serverPid(shared);
      process.kill(killed ?? 0, 'SIGKILL');
      await until(async () => (await membersOf(first).catch(() => [])).length === members.length, 30_000);
      expect(serverPid(shared)).not.toBe(killed);
      expect(restarts()).toHaveLength(times);
    }
    expect(await query(first.url, 'select n from kept')).toEqual([{ n: 1 }]);
    for (const member of members) {
      expect(serverPid(shared)).not.toBeNull();
      await member.leave();
    }
    expect(serverPid(shared)).toBeNull();
  });

  it('returns on its port when a new member is faster than the old one', async () => {
    const killed = await new Member(shared).joined();
    process.kill(serverPid(shared) ?? 0, 'SIGKILL');
    await killed.kill();
    const next = await new Member(shared).joined();
    expect(next.url).toBe(killed.url);
    await next.leave();
  });

  it('does not keep running when a member leaves during a restart', async () => {
    const member = await new Member(shared).joined();
    process.kill(serverPid(shared) ?? 0, 'SIGKILL');
    await member.leave();
    expectStopped(shared, member);
  });

  it('is cleaned up by a member that leaves before it notices that the server was killed', async () => {
    const member = await new Member(shared).joined();
    const pid = serverPid(shared) ?? 0;
    await member.leaveUnaware(() => process.kill(pid, 'SIGKILL'));
    expectStopped(shared, member);
    expect(member.notices.join('\n')).not.toContain('failed');
  });

  it('is stopped by a member that leaves while the server recovers from a crash', async () => {
    const member = await new Member(shared).joined();
    const [connection] = (await membersOf(member)) as { pid: number }[];
    await member.leaveUnaware(() => process.kill(connection?.pid ?? 0, 'SIGKILL'));
    expectStopped(shared, member);
    expect(member.notices.at(-1)).toBe('stopped PostgreSQL');
  });

  it('starts despite a stale process number of a server that is gone', async () => {
    // The number now belongs to another program of the same user, which PostgreSQL would mistake for its own.
    const stranger = spawn('/bin/sleep', ['60'], { ...clusterOwner(shared), cwd: '/' });
    processes.push(stranger);
    const stale = `${stranger.pid}\n${join(shared, 'postgres')}\n1700000000\n5432\n\n127.0.0.1\n`;
    writeFileSync(join(shared, 'postgres/postmaster.pid'), stale, { mode: 0o600 });

    const member = await new Member(shared).joined();
    expect(serverPid(shared)).not.toBe(stranger.pid);
    await member.leave();
    expect(stranger.exitCode).toBeNull();
  });

  it('transfers what an earlier version created as the superuser to the owner, and gives the service its own role', async () => {
    const before = await new Member(shared).joined();
    const { superuserUrl } = before;
    const server = new URL('/postgres', superuserUrl).href;
    for (const sql of [
      'drop database gatehouse',
      'drop role gatehouse_owner',
      'drop role gatehouse_service',
    ]) {
      await query(server, sql);
    }
    await query(server, 'create database gatehouse');
    await migrate({ DATABASE_URL: superuserUrl });
    await query(superuserUrl, `insert into roles (name) values ('kept')`);
    await before.leave();

    const after = await new Member(shared).joined();
    await migrate({ DATABASE_URL: after.serviceUrl, MIGRATION_DATABASE_URL: after.url });
    expect(await query(after.serviceUrl, `select name from roles where name = 'kept'`)).toHaveLength(1);
    await query(after.serviceUrl, `select graphile_worker.add_job('nothing')`);
    const owners = `
      select distinct pg_get_userbyid(owner) as owner from (
        select relowner as owner from pg_class where relnamespace in ('public'::regnamespace, 'graphile_worker'::regnamespace)
        union all select nspowner from pg_namespace where nspname = 'graphile_worker'
        union all select typowner from pg_type where typnamespace = 'graphile_worker'::regnamespace
        union all select proowner from pg_proc where pronamespace = 'graphile_worker'::regnamespace
        union all select proowner from pg_proc where proname = 'search_pairs'
        union all select datdba from pg_database where datname = 'gatehouse') as things`;
    expect(await query(after.url, owners)).toEqual([{ owner: 'gatehouse_owner' }]);
    const powers = `select rolname as name, rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls as powerful
                    from pg_roles where rolname in ('gatehouse_owner', 'gatehouse_service') order by 1`;
    expect(await query(after.url, powers)).toEqual([
      { name: 'gatehouse_owner', powerful: false },
      { name: 'gatehouse_service', powerful: false },
    ]);
    await after.leave();
  });

  it('rejects a cluster of another version and says what to do', async () => {
    const path = join(shared, 'postgres/PG_VERSION');
    const version = readFileSync(path);
    writeFileSync(path, '15\n');
    const error = await new Member(shared).refused();
    writeFileSync(path, version);
    expect(error).toMatch(/^EmbeddedPostgresError: .* created by PostgreSQL 15, .* is \d+: dump it/);
  });

  it('recovers from a first start that was killed midway, without waiting for its lock', async () => {
    const dataDir = folder();
    const killed = new Member(dataDir);
    await killed.noticed('creating the database cluster');
    await until(() => readdirSync(dataDir).some((name) => name.startsWith('postgres.new-')));
    await killed.kill();
    expect(existsSync(join(dataDir, 'postgres'))).toBe(false);

    const startedAt = Date.now();
    const next = await new Member(dataDir).joined();
    expect(Date.now() - startedAt).toBeLessThan(30_000);
    if (isRoot) {
      expect(killed.notices.join('\n')).toContain(`the right to pass through ${dataDir}`);
      expect(statSync(dataDir).mode & 0o777).toBe(0o701);
    }
    await next.leave();
  });

  it('reports in one line that DATA_DIR is a file', async () => {
    const path = join(folder(), 'data');
    writeFileSync(path, '');
    const expected = `EmbeddedPostgresError: DATA_DIR ${path} is a file; it must be a folder`;
    expect(await new Member(path).refused()).toBe(expected);
  });

  it('reports in one line that DATA_DIR is not writable', async () => {
    const parent = folder();
    const dataDir = join(parent, 'data');
    mkdirSync(dataDir);
    chmodSync(parent, 0o755);
    chmodSync(dataDir, 0o555);
    const error = await new Member(dataDir, isRoot ? NOBODY : {}).refused();
    expect(error).toMatch(/^EmbeddedPostgresError: .*: no permission to use it \(EACCES\)$/);
  });

  it('reports in one line that the disk is full, and leaves nothing half made', async () => {
    const disk = folder();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk], { stdio: 'pipe' });
    } catch (error) {
      process.stderr.write(`disk full: not tested, a small disk cannot be mounted: ${String(error)}\n`);
      return;
    }
    try {
      const error = await new Member(disk).refused();
      expect(error).toMatch(/^EmbeddedPostgresError: could not create .*No space left on device$/);
      expect(readdirSync(disk).filter((name) => /^postgres(\.new-.*)?$/.test(name))).toEqual([]);
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});
