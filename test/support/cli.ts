import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built command-line client as a process of its own. */
export class Cli {
  stdout = '';
  stderr = '';

  private constructor(readonly process: ChildProcess) {
    process.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    process.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
  }

  static start(url: string, args: readonly string[], env: Readonly<Record<string, string>>): Cli {
    return new Cli(
      spawn(process.execPath, ['dist/src/cli/main.js', ...args], {
        env: { PATH: process.env['PATH'] ?? '', GATEHOUSE_URL: url, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
  }

  async end(): Promise<CliRun> {
    const [code] = (await once(this.process, 'close')) as [number | null];
    return { code, stdout: this.stdout, stderr: this.stderr };
  }
}
