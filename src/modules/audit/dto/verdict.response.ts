import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  type AuditFault,
  type FaultKind,
  faultKinds,
  type AuditVerdict,
} from '../proofs/verify-audit-log.js';

export class FaultResponse {
  @ApiProperty({ enum: faultKinds, example: 'entry_changed' })
  kind: FaultKind;

  /** The seal at fault, or the seal that covers the entry */
  @ApiPropertyOptional({ type: 'integer', minimum: 1, example: 1042 })
  seal?: number;

  /** The entry at fault. For a missing entry, the entry found in its place */
  @ApiPropertyOptional({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  entry_id?: string;

  /** @example entry 4 of the 12 in seal 1042 differs from its sealed hash */
  message: string;
}

export class VerdictResponse {
  /** @example false */
  valid: boolean;

  /** The number of sealed entries that were verified: all of them, or those before the fault */
  @ApiProperty({ type: 'integer', minimum: 0, example: 12_480 })
  entries: number;

  /**
   * The number of sealed entries that were dropped with their month under a signed retention
   * (`AUDIT_RETENTION_MONTHS`)
   */
  @ApiProperty({ type: 'integer', minimum: 0, example: 0 })
  dropped: number;

  @ApiProperty({ type: 'integer', minimum: 0, example: 1041 })
  seals: number;

  /** The number of entries after the last seal, which nothing proves yet; 0 when `to` is given */
  @ApiProperty({ type: 'integer', minimum: 0, example: 0 })
  unsealed: number;

  @ApiPropertyOptional({
    example: { kind: 'seal_missing', seal: 7, message: 'seal 7 is missing before seal 8' },
  })
  first_fault?: FaultResponse;
}

export const toVerdictResponse = ({
  valid,
  entries,
  dropped,
  seals,
  unsealed,
  firstFault,
}: AuditVerdict): VerdictResponse => ({
  valid,
  entries,
  dropped,
  seals,
  unsealed,
  ...(firstFault && { first_fault: toFaultResponse(firstFault) }),
});

const toFaultResponse = ({ kind, seal, entryId, message }: AuditFault): FaultResponse => ({
  kind,
  ...(seal !== undefined && { seal }),
  ...(entryId !== undefined && { entry_id: entryId }),
  message,
});
