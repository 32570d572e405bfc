/** A difference from the recorded build that was made on purpose. */
export interface WantedDifference {
  /** Matches the group and the title of each exchange that differs, such as `users: GET /api/users as ada`. */
  readonly exchanges: RegExp;
  /** The recorded text. */
  readonly recorded: string | RegExp;
  /** The text that takes its place. */
  readonly wanted: string;
  readonly reason: string;
}

/** Every wanted difference. The test fails for one that no longer applies. */
export const wantedDifferences: readonly WantedDifference[] = [];
