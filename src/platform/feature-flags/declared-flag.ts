/** A feature flag as a feature declares it beside its code. */
export interface DeclaredFlag {
  /** The name in the API: a to z, 0 to 9, `-` and `_`. */
  readonly key: string;
  /** Says what the flag switches, and what happens while it is off. */
  readonly description: string;
  /** The state until somebody changes the flag, for every user. */
  readonly default: boolean;
  /** The message to a caller whom the flag refuses. */
  readonly refusal: string;
}

/** The setting of a flag. The first of `enabled`, `allowUserIds` and `rolloutPercent` that decides wins. */
export interface FlagSetting {
  readonly key: string;
  /** False turns the flag off for every user, whatever the rest says. */
  readonly enabled: boolean;
  /** The users for whom the flag is on before the percentage is asked. At most 1,000. */
  readonly allowUserIds: readonly string[];
  /** The share of users for whom the flag is on; a whole number from 0 to 100. */
  readonly rolloutPercent: number;
  /** Rises by one with each change. A flag that was never changed has version 1. */
  readonly version: number;
}

/** The form of every key. */
export const FLAG_KEY = /^[a-z][a-z0-9_-]{0,49}$/;

export const MAX_ALLOWED_USERS = 1000;

/** Returns the setting of a flag that nobody has changed. */
export const defaultSetting = ({ key, default: enabled }: DeclaredFlag): FlagSetting => ({
  key,
  enabled,
  allowUserIds: [],
  rolloutPercent: 100,
  version: 1,
});
