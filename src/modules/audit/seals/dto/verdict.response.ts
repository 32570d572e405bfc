import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { type Fault, type FaultKind, faultKinds, type Verdict } from '../verify.js';

export class FaultResponse {
  @ApiProperty({ enum: faultKinds, example: 'entry_changed' })
  kind: FaultKind;

  /** The seal at fault, or the one that covers the entry */
  @ApiPropertyOptional({ type: 'integer', minimum: 1, example: 1042 })
  seal?: number;

  /** The entry at fault; a missing one has left only its hash, and the one in its place is named */
  @ApiPropertyOptional({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  entry_id?: string;

  /** @example entry 4 of the 12 in seal 1042 is not as it was sealed */
  message: string;
}

export class VerdictResponse {
  /** @example false */
  valid: boolean;

  /** Sealed entries found to be right: all of them, or those before the fault */
  @ApiProperty({ type: 'integer', minimum: 0, example: 12_480 })
  entries: number;

  /** Sealed entries that went with their month, as a signed retention says (`AUDIT_RETENTION_MONTHS`) */
  @ApiProperty({ type: 'integer', minimum: 0, example: 0 })
  dropped: number;

  @ApiProperty({ type: 'integer', minimum: 0, example: 1041 })
  seals: number;

  /** Entries after the last seal, which nothing proves yet; 0 when `to` was given */
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
}: Verdict): VerdictResponse => ({
  valid,
  entries,
  dropped,
  seals,
  unsealed,
  ...(firstFault && { first_fault: toFaultResponse(firstFault) }),
});

const toFaultResponse = ({ kind, seal, entryId, message }: Fault): FaultResponse => ({
  kind,
  ...(seal !== undefined && { seal }),
  ...(entryId !== undefined && { entry_id: entryId }),
  message,
});
