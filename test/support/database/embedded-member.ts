import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

import { expect } from '@jest/globals';
import type { EmbeddedUrls } from '../../../src/platform/embedded-postgres/roles.js';
import { until } from '../app/until.js';

// Members are real processes that run the compiled service, so that they can really be killed.
const MODULE = join(process.cwd(), 'dist/src/platform/embedded-postgres/embedded-postgres.js');
const PROGRAM = `
  const { joinEmbeddedPostgres } = await import(${JSON.stringify(pathToFileURL(MODULE).href)});
  const say = (fact) => process.stdout.write(JSON.stringify(fact) + '\\n');
  try {
    const notice = (message) => say({ notice: message });
    const database = await joinEmbeddedPostgres({ dataDir: process.argv[1], notice });
    say({ urls: database.urls });
    process.stdin.once('data', async () => {
      await database.leave();
      process.exit(0);
    });
  } catch (error) {
    say({ error: error.name + ': ' + error.message });
    process.exitCode = 1;
  }
`;

/** The processes of all members, for the test file to kill. */
export const processes: ChildProcess[] = [];

/** A process that is a member of the embedded server on `dataDir`. */
export class Member {
  readonly notices: string[] = [];
  /** The addresses for the owner, the service and the superuser. */
  url = '';
  serviceUrl = '';
  superuserUrl = '';
  error = '';
  readonly #child: ChildProcess;
  readonly #settled: Promise<void>;

  constructor(dataDir: string, user: { uid?: number; gid?: number } = {}) {
    const args = ['--input-type=module', '-e', PROGRAM, dataDir];
    // Runs outside the runner's folder, which another user may be unable to enter.
    const child = spawn(process.execPath, args, {
      ...user,
      cwd: '/',
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child = child;
    processes.push(child);
    this.#settled = new Promise((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const fact: unknown = JSON.parse(line);
        if (typeof fact !== 'object' || fact === null) return;
        if ('notice' in fact) this.notices.push(String(fact.notice));
        if ('urls' in fact) this.#learn(fact.urls as EmbeddedUrls);
        if ('error' in fact) this.error = String(fact.error);
        if (this.url !== '' || this.error !== '') resolve();
      });
      child.once('exit', () => resolve());
    });
  }

  #learn({ url, ownerUrl, superuserUrl }: EmbeddedUrls): void {
    this.url = ownerUrl;
    this.serviceUrl = url;
    this.superuserUrl = superuserUrl;
  }

  async joined(): Promise<this> {
    await this.#settled;
    expect(this.error).toBe('');
    expect(this.url).toMatch(/^postgres:/);
    return this;
  }

  async refused(): Promise<string> {
    await this.#settled;
    expect(this.url).toBe('');
    return this.error;
  }

  async noticed(text: string): Promise<void> {
    await until(() => this.notices.some((notice) => notice.includes(text)));
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async leave(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.stdin?.write('leave\n');
    expect(await exit).toEqual([0, null]);
  }

  /** Leaves while this process has not yet noticed what `harm` did to the server. */
  async leaveUnaware(harm: () => void): Promise<void> {
    this.#child.kill('SIGSTOP');
    harm();
    const left = this.leave();
    this.#child.kill('SIGCONT');
    await left;
  }

  async kill(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}

/** Returns the process ID of the server on `dataDir`, or null when it does not run. */
export function serverPid(dataDir: string): number | null {
  const path = join(dataDir, 'postgres/postmaster.pid');
  if (!existsSync(path)) return null;
  const pid = Number(readFileSync(path, 'utf8').split('\n')[0]);
  try {
    process.kill(pid, 0);
    return pid;
  } catch {
    return null;
  }
}

/** Fails, with the member's notices, when a server or its postmaster.pid remains. */
export function expectStopped(dataDir: string, member: Member): void {
  const left = existsSync(join(dataDir, 'postgres/postmaster.pid'));
  expect({ pid: serverPid(dataDir), left, notices: left ? member.notices : [] }).toEqual({
    pid: null,
    left: false,
    notices: [],
  });
}
