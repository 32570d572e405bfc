import { hash } from 'node:crypto';
import type { FlagSetting } from './declared-flag.js';

/** The reasons why a flag has its value, in the words of OpenFeature. */
export const flagReasons = ['DISABLED', 'TARGETING_MATCH', 'STATIC', 'SPLIT'] as const;

export type FlagReason = (typeof flagReasons)[number];

export interface FlagValue {
  readonly value: boolean;
  readonly reason: FlagReason;
}

/** The part of a setting that evaluation reads, with the users as a set. */
export interface FlagRule extends Pick<FlagSetting, 'key' | 'enabled' | 'rolloutPercent'> {
  readonly allowedUsers: ReadonlySet<string>;
}

const MAX_PERCENT = 100;
const BUCKETS = 2 ** 32;

/**
 * Evaluates a flag for a user; null stands for a caller without an account, for whom a flag that is rolled out to some
 * users only is off.
 */
export function evaluateFlag(rule: FlagRule, userId: string | null): FlagValue {
  const { key, enabled, rolloutPercent, allowedUsers } = rule;
  if (!enabled) return { value: false, reason: 'DISABLED' };
  if (userId !== null && allowedUsers.has(userId)) return { value: true, reason: 'TARGETING_MATCH' };
  if (rolloutPercent >= MAX_PERCENT) return { value: true, reason: 'STATIC' };
  if (rolloutPercent <= 0) return { value: false, reason: 'STATIC' };
  return { value: userId !== null && percentileOf(key, userId) < rolloutPercent, reason: 'SPLIT' };
}

/**
 * Returns the place of a user in the rollout of a flag: a number from 0 to 100, without 100. It never changes, so a user
 * for whom the flag is on keeps it when the percentage grows. Each flag orders the users differently.
 */
function percentileOf(key: string, userId: string): number {
  const digest = hash('sha256', `${key}\0${userId}`, 'buffer');
  return (digest.readUInt32BE() / BUCKETS) * MAX_PERCENT;
}
