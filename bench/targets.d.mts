export interface Target {
  readonly atMost?: number;
  readonly atLeast?: number;
  readonly quickAtMost?: number;
  readonly gate?: boolean;
  readonly open?: string;
}
export const targets: Readonly<Record<string, Target>>;
