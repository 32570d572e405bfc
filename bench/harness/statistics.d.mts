/** A measured value with its spread. */
export interface Measure {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}
export function quantile(values: readonly number[], share: number): number;
export function median(values: readonly number[]): number;
export function summarize(values: readonly number[]): Measure;
export function ratio(values: readonly number[], references: readonly number[]): Measure;
