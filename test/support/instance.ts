import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { UNLIMITED } from './unlimited.js';

const START_TIMEOUT_MS = 60_000;

export interface InstanceOptions {
  readonly env: Readonly<Record<string, string>>;
  /** By default the built service itself. */
  readonly entry?: string;
}

/** The built service as a process of its own, which can really be killed. */
export class Instance {
  stdout = '';
  stderr = '';
  private readonly ended: Promise<number | null>;
  private known: string | null = null;

  private constructor(
    readonly process: ChildProcess,
    private readonly dataDir: string,
  ) {
    process.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    process.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = once(process, 'exit').then(([code]) => code as number | null);
  }

  /** Does not wait until it serves. */
  static async spawn({ env, entry = 'dist/src/main.js' }: InstanceOptions): Promise<Instance> {
    const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-instance-'));
    const child = spawn(process.execPath, ['--enable-source-maps', entry], {
      env: { PATH: process.env['PATH'] ?? '', PORT: '0', DATA_DIR: dataDir, ...UNLIMITED, ...env },
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
    let ready = false;
    const look = setInterval(() => {
      void fetch(`${url}/health/ready`).then(
        (answer) => (ready = answer.ok),
        () => undefined,
      );
    }, 50);
    try {
      await instance.until(() => ready);
    } finally {
      clearInterval(look);
    }
    instance.known = url;
    return instance;
  }

  /** Waits until it says that it is ready. */
  static async start(options: InstanceOptions): Promise<Instance> {
    const instance = await Instance.spawn(options);
    await instance.until(() => instance.address !== null);
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
    const code = await this.ended;
    await rm(this.dataDir, { recursive: true, force: true });
    return code;
  }

  /** Looks every few milliseconds whether it is so by now. Fails when the process ends before that. */
  async until(condition: () => boolean, timeoutMs = START_TIMEOUT_MS): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!condition()) {
      if (this.process.exitCode !== null) throw new Error(`the instance ended: ${this.stderr}`);
      if (Date.now() > deadline)
        throw new Error(`not so after ${timeoutMs} ms: ${this.stdout}${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  private get address(): string | null {
    if (this.known !== null) return this.known;
    return /^ +API +(http:\/\/\S+)\/api$/m.exec(this.stdout)?.[1]?.replace('localhost', '127.0.0.1') ?? null;
  }
}
