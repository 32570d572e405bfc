import type { Target } from '../targets.mjs';
import type { JudgedRow } from './rows.mjs';

export function table(rows: readonly (readonly unknown[])[]): string;
export function format(value: number): string;
export function rowsTable(rows: readonly JudgedRow[]): string;
export function describeTarget(target: Target, unit: string): string;
