import { spawnSync } from 'node:child_process';

/** One line of the text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads the text format of Prometheus. */
export function parseMetrics(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((match) => [match[1], match[2]]);
      return { name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) };
    });
}

/** The reason why Prometheus's own checks cannot run here; null where they can. */
export const noPromtool: string | null =
  spawnSync('promtool', ['--version']).error === undefined
    ? null
    : 'promtool is not installed (Debian’s package prometheus)';

/** Runs promtool. */
export function promtool(
  args: readonly string[],
  input = '',
): { readonly code: number; readonly output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return { code: status ?? -1, output: `${stdout}${stderr}` };
}
