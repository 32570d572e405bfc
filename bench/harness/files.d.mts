import type { JudgedRow } from './rows.mjs';

export interface Result {
  readonly began: string;
  readonly setup: string;
  readonly options: { readonly quick: boolean; readonly rounds: number };
  readonly rows: readonly JudgedRow[];
  readonly texts: readonly string[];
}
export function writeResults(
  folder: string,
  results: Readonly<Record<string, Result>>,
): Record<string, Result>;
export function drawResults(results: Readonly<Record<string, Result>>): string;
export function replaceTables(text: string, results: Readonly<Record<string, Result>>): string;
