import type { Target } from '../targets.mjs';
import type { JudgedRow } from './rows.mjs';

export function drawRows(rows: readonly JudgedRow[]): string;
export function achievement(value: number, target: Target): number;
