import type { Target } from '../targets.mjs';
import type { Measure } from './statistics.mjs';

export interface Row {
  readonly id: string;
  readonly targetId?: string;
  readonly name: string;
  readonly unit: string;
  readonly measure: Measure;
}
export interface JudgedRow extends Row {
  readonly target: Target | null;
  readonly reached: boolean | null;
  readonly verdict: string;
  readonly failed: boolean;
}
export function judge(row: Row, known?: Readonly<Record<string, Target>>): JudgedRow;
