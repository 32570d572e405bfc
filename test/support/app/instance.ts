import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { NODE_FLAGS } from '../../../scripts/node-flags.mjs';
import { freePort } from '../http/free-port.js';
import { UNLIMITED } from './unlimited.js';
import { until } from './until.js';

/** Shorter than Jest's timeout of a test or a hook. Otherwise the test would end before it could clean up. */
const WAIT_MS = 50_000;
/**
 * The issuer of all instances of a test and of its TestApp, so that they accept each other's tokens on any
 * port.
 */
const PUBLIC_URL = 'http://localhost:3000';

export interface InstanceOptions {
  readonly env: Readonly<Record<string, string>>;
  /** The entry point; by default the built service itself. */
  readonly entry?: string;
  /** The arguments of the entry point. */
  readonly args?: readonly string[];
  /** A command with its arguments that runs the service and must become its process. */
  readonly under?: readonly string[];
}

/** The built service as a separate process, which can really be killed. */
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
  static async spawn({
    env,
    entry = 'dist/src/main.js',
    args = [],
    under = [],
  }: InstanceOptions): Promise<Instance> {
    const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-instance-'));
    const [command, ...parameters] = [...under, process.execPath, ...NODE_FLAGS, resolve(entry), ...args];
    const child = spawn(command ?? '', parameters, {
      // Where no developer keeps an .env.
      cwd: dataDir,
      env: {
        PATH: process.env['PATH'] ?? '',
        // The compile cache is shared by the whole run.
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

  /**
   * Starts in production mode, which prints no banner. It gets a fixed port and is polled until it is ready.
   */
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

  /** Starts and waits until it reports that it is ready. */
  static async start(options: InstanceOptions): Promise<Instance> {
    const instance = await Instance.spawn(options);
    await instance.started(() => instance.address !== null);
    return instance;
  }

  /**
   * Starts two at once, as a deployment does, so that they race for the first administrator and the first key
   * of an empty database. Kills both if either cannot start, because no test could stop them later.
   */
  static async startTwo(one: InstanceOptions, other: InstanceOptions): Promise<[Instance, Instance]> {
    const instances: [Instance, Instance] = [await Instance.spawn(one), await Instance.spawn(other)];
    try {
      await Promise.all(instances.map((each) => each.until(() => each.address !== null)));
    } catch (error) {
      await Promise.all(instances.map((each) => each.stop('SIGKILL')));
      throw error;
    }
    return instances;
  }

  get url(): string {
    if (this.address === null) throw new Error('the instance does not serve yet');
    return this.address;
  }

  get exitCode(): Promise<number | null> {
    return this.ended;
  }

  /** Sends the signal and returns the exit code; null when the signal ended the process. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    this.process.kill(signal);
    return this.ended;
  }

  /** Waits like `until`, but fails at once, with the process's output, when the process ends first. */
  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    const alive = () => {
      if (this.process.exitCode === null && this.process.signalCode === null) return condition();
      throw new Error('the instance ended');
    };
    await until(alive, WAIT_MS, String(condition)).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.stdout}${this.stderr}`, { cause: error });
    });
  }

  /** Waits for the start and kills a process that fails to start, because no test could stop it later. */
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
