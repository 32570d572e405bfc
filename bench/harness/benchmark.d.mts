import type { DatabaseServer } from './database.mjs';
import type { Report } from './report.mjs';

export interface Context {
  readonly server: DatabaseServer;
  /** Everything small, as a smoke test of the harness. */
  readonly quick: boolean;
  /** The rounds of each measurement, in turns. */
  readonly rounds: number;
  /** The options of the command line. */
  readonly options: Readonly<Record<string, string | undefined>>;
  readonly report: Report;
}

export interface Benchmark {
  /** The name of its file. */
  readonly name: string;
  /** One line for `--list`. */
  readonly about: string;
  readonly run: (context: Context) => Promise<void>;
}
