import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Redis as Client } from 'ioredis';
import { freePort } from '../http/free-port.js';
import { until } from './until.js';

/** The reason why this machine has no Redis; null when it has one. */
export const noRedis = ((): string | null => {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return null;
  } catch (error) {
    return `redis-server cannot be run (${String(error)}): .ci/run installs it, as does "apt-get install redis-server"`;
  }
})();

/** A real Redis as a separate process, in memory only, which can really be killed. */
export class TestRedis {
  private process: ChildProcess | null = null;

  private constructor(private readonly port: number) {}

  /** Reserves an address on which nothing listens yet. */
  static async prepare(): Promise<TestRedis> {
    return new TestRedis(await freePort());
  }

  static async start(): Promise<TestRedis> {
    const redis = await TestRedis.prepare();
    await redis.start();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts an empty Redis, on the same port as before. */
  async start(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: '/' });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    this.process = child;
    await until(() => said.includes('Ready to accept connections'), 10_000, 'a Redis that is ready');
  }

  /** Kills Redis without a goodbye, as a crash would. */
  async kill(): Promise<void> {
    const { process: child } = this;
    this.process = null;
    if (!child || child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Freezes Redis: connections stay up, but nothing is answered. */
  freeze(): void {
    this.process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.process?.kill('SIGCONT');
  }

  async ask<T>(question: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client(this.url);
    // The question fails then.
    client.on('error', () => {});
    try {
      return await question(client);
    } finally {
      client.disconnect();
    }
  }
}
