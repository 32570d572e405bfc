import { ApiExtraModels, ApiProperty, getSchemaPath } from '@nestjs/swagger';
import type { CheckResult, HealthReport } from './health-report.js';

export class CheckResponse {
  @ApiProperty({ enum: ['up', 'down'], example: 'up' })
  status: CheckResult['status'];

  /**
   * The duration of the check in milliseconds
   * @example 3
   */
  responseTime?: number;

  /**
   * The reason for a failed check, if it helps
   * @example read-only
   */
  reason?: string;
}

type Checks = HealthReport['info'];

const checks = (example: Readonly<Record<string, CheckResult>>) =>
  ({ type: 'object', additionalProperties: { $ref: getSchemaPath(CheckResponse) }, example }) as const;

/** The response of `GET /health`. */
@ApiExtraModels(CheckResponse)
export class FullHealthResponse {
  @ApiProperty({ enum: ['ok', 'error'], example: 'ok' })
  status: HealthReport['status'];

  /** The checks that passed */
  @ApiProperty(checks({ database: { status: 'up', responseTime: 3 } }))
  info: Checks;

  /** The checks that failed */
  @ApiProperty(checks({}))
  error: Checks;

  /** All checks */
  @ApiProperty(checks({ database: { status: 'up', responseTime: 3 } }))
  details: Checks;

  /** @example "1.4.0" */
  version: string;

  /** The commit that was built, with `-dirty` when the sources differed from it; null when unknown */
  @ApiProperty({ type: String, nullable: true, example: '9fceb02d0ae598e95dc970b74767f19372d61af8' })
  commit: string | null;

  /**
   * The timestamp of the latest migration applied when this instance started
   * @example "1795800051000"
   */
  schema: string;
}
