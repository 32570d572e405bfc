import { Injectable } from '@nestjs/common';
import type { Principal } from '../../../common/authorization/principal.types.js';
import type { AuditFilters } from '../../audit/audit-filters.types.js';
import { AuditService } from '../../audit/audit.service.js';
import { type AuditEntryResponse, toAuditEntryResponse } from '../../audit/dto/audit-entry.response.js';
import type { ByteWriter } from '../encoding/byte.writer.js';
import { csvValue } from '../encoding/csv.js';
import type { Encoding, RowBatch, RowSource, Selection } from './row-source.types.js';
import { exportTooOld } from '../export-too-old.error.js';

/**
 * The maximum number of rows in a batch. Smaller than for users, because each entry is decrypted in
 * JavaScript.
 */
const MAX_ROWS = 500;

export type AuditField = keyof AuditEntryResponse;
/** The fields in output order. */
export const auditFields: readonly AuditField[] = [
  'id',
  'occurred_at',
  'actor',
  'action',
  'target',
  'outcome',
  'changes',
  'ip',
  'user_agent',
  'request_id',
  'trace_id',
  'reason',
];

/**
 * Reads the audit log as of the snapshot. Entries never change, so only their existence must be checked.
 * Throws `CONFLICT` if retention drops a month during the export.
 */
@Injectable()
export class AuditSource {
  constructor(private readonly audit: AuditService) {}

  /** Selects the rows, with the current addresses of the users whom `caller` may read. */
  select({ moment, filters, fields, encoding }: Selection<AuditFilters>, caller: Principal): RowSource {
    return {
      maxRows: MAX_ROWS,
      read: async (after: string, limit: number): Promise<RowBatch> => {
        const entries = await this.audit.findInSnapshot(moment, filters, { after, limit, caller });
        // Checks after the read, because a month dropped during it would otherwise go unnoticed.
        if ((await this.audit.countDroppedMonths()) !== moment.monthsDropped) throw exportTooOld();
        const upTo = entries.length < limit ? null : (entries.at(-1)?.id ?? null);
        return new EntryBatch(entries.map(toAuditEntryResponse), upTo, fields as AuditField[], encoding);
      },
    };
  }

  estimate(filters: AuditFilters): Promise<number> {
    return this.audit.estimate(filters);
  }
}

class EntryBatch implements RowBatch {
  private at = -1;

  constructor(
    private readonly entries: readonly AuditEntryResponse[],
    readonly upTo: string | null,
    private readonly fields: readonly AuditField[],
    private readonly encoding: Encoding,
  ) {}

  next(): boolean {
    if (this.at === this.entries.length - 1) return false;
    this.at++;
    return true;
  }

  id(): string {
    return this.entries[this.at]!.id;
  }

  write(out: ByteWriter): void {
    const entry = this.entries[this.at]!;
    if (this.encoding === 'csv') out.text(this.fields.map((field) => csvValue(entry[field])).join(','));
    else out.text(JSON.stringify(Object.fromEntries(this.fields.map((field) => [field, entry[field]]))));
  }
}
