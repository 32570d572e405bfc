import { ApiProperty } from '@nestjs/swagger';
import type { DeclaredFlag, FlagSetting } from '../../../platform/feature-flags/declared-flag.js';

/** The setting of a flag, for those who manage flags. */
export class FlagResponse {
  /** @example signup */
  key: string;

  /** The purpose of the flag, and the effect of switching it off
   * @example Sign-ups */
  description: string;

  /** False turns the flag off for everyone, whatever the rest says
   * @example true */
  enabled: boolean;

  /** The share of users for whom the flag is on */
  @ApiProperty({ type: 'integer', minimum: 0, maximum: 100, example: 100 })
  rollout_percent: number;

  /** The users for whom the flag is on whatever the percentage is */
  @ApiProperty({ type: 'array', items: { type: 'string', format: 'uuid' }, example: [] })
  allow_user_ids: string[];

  @ApiProperty({ type: 'integer', minimum: 1, example: 1 })
  version: number;
}

export const toFlagResponse = ({ description }: DeclaredFlag, setting: FlagSetting): FlagResponse => ({
  key: setting.key,
  description,
  enabled: setting.enabled,
  rollout_percent: setting.rolloutPercent,
  allow_user_ids: [...setting.allowUserIds],
  version: setting.version,
});
