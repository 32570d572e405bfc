import { ApiProperty } from '@nestjs/swagger';
import { ErrorResponse } from '../../../common/errors/error.response.js';
import type { FlagReason } from '../../../platform/feature-flags/evaluate-flag.js';
import { flagReasons } from '../../../platform/feature-flags/evaluate-flag.js';
import type { EvaluatedFlag } from '../flags.service.js';

/** A successful evaluation, as OFREP defines it. */
export class EvaluationResponse {
  /** @example signup */
  key: string;

  /** True while the flag is on for the user
   * @example true */
  value: boolean;

  /** Why the flag has this value, as OpenFeature says it */
  @ApiProperty({ enum: flagReasons, example: 'STATIC' })
  reason: FlagReason;

  /** The name of the value */
  @ApiProperty({ enum: ['on', 'off'], example: 'on' })
  variant: 'on' | 'off';
}

/** Evaluations of every flag. */
export class BulkEvaluationResponse {
  /** The flags in the order of their keys */
  @ApiProperty({ type: [EvaluationResponse] })
  flags: EvaluationResponse[];
}

/** A refusal of a bulk evaluation: the usual error, with what OFREP wants beside it. */
export class BulkEvaluationFailureResponse extends ErrorResponse {
  /** The error code of OpenFeature
   * @example TARGETING_KEY_MISSING */
  errorCode: string;

  /** The reason, for people to read
   * @example context.targetingKey is required */
  errorDetails: string;
}

/** A refusal of the evaluation of one flag. */
export class EvaluationFailureResponse extends BulkEvaluationFailureResponse {
  /** The key that was asked for
   * @example signup */
  key: string;
}

export const toEvaluationResponse = ({ flag, value, reason }: EvaluatedFlag): EvaluationResponse => ({
  key: flag.key,
  value,
  reason,
  variant: value ? 'on' : 'off',
});
