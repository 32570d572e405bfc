import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { until } from './until.js';

export const MAIN = 'dist/src/cli/main.js';

/** The reason why commands cannot run on a terminal here; null when they can. */
export const noTerminal: string | null = (() => {
  const { stdout } = spawnSync('script', ['--version'], { encoding: 'utf8' });
  return /util-linux/.test(stdout ?? '') ? null : 'there is no script of util-linux';
})();

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built command-line client as a separate process. */
export class Cli {
  stdout = '';
  stderr = '';

  private constructor(readonly process: ChildProcess) {
    process.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    process.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
  }

  /** Starts without the logins of the person who runs the tests. `output` is a file that takes the place of the pipe. */
  static start(
    url: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    output: number | 'pipe' = 'pipe',
  ): Cli {
    return Cli.spawn(process.execPath, [MAIN, ...args], { GATEHOUSE_URL: url, ...env }, output);
  }

  /** Runs a command of the user to its end. */
  static runAs(url: string, { token }: { readonly token: string }, args: readonly string[]): Promise<CliRun> {
    return Cli.start(url, args, { GATEHOUSE_TOKEN: token }).end();
  }

  /** Starts the client on a terminal; all output is in `stdout`. The arguments must need no shell quoting. */
  static startOnTerminal(url: string, args: readonly string[], env: Readonly<Record<string, string>>): Cli {
    const command = [process.execPath, MAIN, ...args].join(' ');
    return Cli.spawn('script', ['-qec', command, '/dev/null'], { GATEHOUSE_URL: url, ...env });
  }

  /** Types a line on the terminal once the client has asked for it. */
  answer(question: RegExp, line: string): Promise<void> {
    return this.type(question, `${line}\n`);
  }

  /** Presses keys on the terminal once the client has asked. */
  async type(question: RegExp, keys: string): Promise<void> {
    await until(() => question.test(this.stdout), 10_000, String(question));
    this.process.stdin?.write(keys);
  }

  private static spawn(
    file: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    output: number | 'pipe' = 'pipe',
  ): Cli {
    return new Cli(
      spawn(file, args, {
        env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', XDG_CONFIG_HOME: '/nonexistent', ...env },
        stdio: [file === 'script' ? 'pipe' : 'ignore', output, 'pipe'],
      }),
    );
  }

  async end(): Promise<CliRun> {
    const [code] = (await once(this.process, 'close')) as [number | null];
    return { code, stdout: this.stdout, stderr: this.stderr };
  }
}
