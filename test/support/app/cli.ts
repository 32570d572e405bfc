import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

const MAIN = 'dist/src/cli/main.js';

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

  static start(url: string, args: readonly string[], env: Readonly<Record<string, string>>): Cli {
    return Cli.spawn(process.execPath, [MAIN, ...args], { GATEHOUSE_URL: url, ...env });
  }

  /** Starts the client on a terminal; all output is in `stdout`. The arguments must need no shell quoting. */
  static startOnTerminal(url: string, args: readonly string[], env: Readonly<Record<string, string>>): Cli {
    const command = [process.execPath, MAIN, ...args].join(' ');
    return Cli.spawn('script', ['-qec', command, '/dev/null'], { GATEHOUSE_URL: url, ...env });
  }

  private static spawn(file: string, args: readonly string[], env: Readonly<Record<string, string>>): Cli {
    return new Cli(
      spawn(file, args, {
        env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
  }

  async end(): Promise<CliRun> {
    const [code] = (await once(this.process, 'close')) as [number | null];
    return { code, stdout: this.stdout, stderr: this.stderr };
  }
}
