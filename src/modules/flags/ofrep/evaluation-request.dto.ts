import { ApiProperty } from '@nestjs/swagger';
import { IsObject, IsString, MaxLength } from 'class-validator';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';

export const MAX_TARGETING_KEY_LENGTH = 256;
const MAX_METADATA_LENGTH = 200;

/** The body of an evaluation. */
export class EvaluationRequestDto {
  /** The user to evaluate for, as `targetingKey`. Other properties are allowed and have no effect */
  @IsObject()
  @ApiProperty({
    type: 'object',
    properties: {
      targetingKey: { type: 'string', maxLength: MAX_TARGETING_KEY_LENGTH, description: 'The id of a user' },
    },
    required: ['targetingKey'],
    additionalProperties: true,
    example: { targetingKey: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' },
  })
  context: Readonly<Record<string, unknown>>;
}

/** Parameters of a provider that follows an event stream. The values are always the current ones, so they have no effect. */
export class BulkEvaluationQuery {
  /** The entity tag that an event stream announced. Has no effect */
  @IsOptionalProperty()
  @IsString()
  @MaxLength(MAX_METADATA_LENGTH)
  flagConfigEtag?: string;

  /** The time of change that an event stream announced. Has no effect */
  @IsOptionalProperty()
  @IsString()
  @MaxLength(MAX_METADATA_LENGTH)
  flagConfigLastModified?: string;
}
