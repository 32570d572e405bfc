import { ApiProperty } from '@nestjs/swagger';
import { type FlagReason, flagReasons } from '../../../platform/feature-flags/evaluate-flag.js';

/** The value of a flag for the caller. */
export class FlagValueResponse {
  /** @example signup */
  key: string;

  /** The purpose of the flag, and the effect of switching it off
   * @example Sign-ups */
  description: string;

  /** True while the flag is on for the caller
   * @example true */
  value: boolean;

  /** Why the flag has this value, as OpenFeature says it */
  @ApiProperty({ enum: flagReasons, example: 'STATIC' })
  reason: FlagReason;
}
