import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { NODE_FLAGS } from '../../scripts/node-flags.mjs';
import { freePort } from './free-port.js';
import { UNLIMITED } from './unlimited.js';
import { until } from './until.js';

/** Within what Jest gives a test or a hook: one that came later would find nobody left to clean up. */
const WAIT_MS = 25_000;
/** The issuer of all instances of a test, and of its TestApp: they accept each other's tokens on any port. */
const PUBLIC_URL = 'http://localhost:3000';

export interface InstanceOptions {
  readonly env: Readonly<Record<string, string>>;
  /** By default the built service itself. */
  readonly entry?: string;
  /** A command, with its parameters, that runs it; it must become the process of the service. */
  readonly under?: readonly string[];
}

/** The built service as a process of its own, which can really be killed. */
export class Instance {
  stdout = '';
  stderr = '';
  private readonly ended: Promise<number | null>;
  private known: string | null = null;

  private constructor(
    readonly process: ChildProcess,
    dataDir: string,
  ) {
    process.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    process.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = once(process, 'exit').then(async ([code]) => {
      await rm(dataDir, { recursive: true, force: true });
      return code as number | null;
    });
  }

  /** Does not wait until it serves. */
  static async spawn({ env, entry = 'dist/src/main.js', under = [] }: InstanceOptions): Promise<Instance> {
    const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-instance-'));
    const [command, ...parameters] = [...under, process.execPath, ...NODE_FLAGS, resolve(entry)];
    const child = spawn(command ?? '', parameters, {
      // Where no developer keeps an .env.
      cwd: dataDir,
      env: {
        PATH: process.env['PATH'] ?? '',
        // Compiled once for the whole run.
        NODE_COMPILE_CACHE: process.env['TEST_COMPILE_CACHE'],
        PORT: '0',
        PUBLIC_URL,
        DATA_DIR: dataDir,
        ...UNLIMITED,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Instance(child, dataDir);
  }

  /** In production it shows no banner: it is given a port, and asked until it is ready. */
  static async startInProduction({ env, entry }: InstanceOptions): Promise<Instance> {
    const port = await freePort();
    const own = { NODE_ENV: 'production', PORT: String(port), ...env };
    const instance = await Instance.spawn({ env: own, ...(entry !== undefined && { entry }) });
    const url = `http://127.0.0.1:${port}`;
    const ready = () =>
      fetch(`${url}/health/ready`).then(
        (answer) => answer.ok,
        () => false,
      );
    await instance.started(ready);
    instance.known = url;
    return instance;
  }

  /** Waits until it says that it is ready. */
  static async start(options: InstanceOptions): Promise<Instance> {
    const instance = await Instance.spawn(options);
    await instance.started(() => instance.address !== null);
    return instance;
  }

  get url(): string {
    if (this.address === null) throw new Error('the instance does not serve yet');
    return this.address;
  }

  get exitCode(): Promise<number | null> {
    return this.ended;
  }

  /** Ends it with that signal and says what it exited with; null when the signal did. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    this.process.kill(signal);
    return this.ended;
  }

  /** As `until`, but fails at once when the process ends before that, and says what it wrote. */
  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    const alive = () => {
      if (this.process.exitCode === null && this.process.signalCode === null) return condition();
      throw new Error('the instance ended');
    };
    await until(alive, WAIT_MS, String(condition)).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.stdout}${this.stderr}`, { cause: error });
    });
  }

  /** One that does not get so far has nobody who could stop it later. */
  private async started(condition: () => boolean | Promise<boolean>): Promise<void> {
    try {
      await this.until(condition);
    } catch (error) {
      await this.stop('SIGKILL');
      throw error;
    }
  }

  private get address(): string | null {
    if (this.known !== null) return this.known;
    const address = /^ +Listening on +(http:\/\/\S+)$/m.exec(this.stdout)?.[1];
    return address?.replace('localhost', '127.0.0.1') ?? null;
  }
}
