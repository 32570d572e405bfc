import { Injectable } from '@nestjs/common';
import { AuditService } from '../audit/audit.service.js';
import { type AuditEntryResponse, toAuditEntryResponse } from '../audit/dto/audit-entry.response.js';
import { csvValue } from './csv.js';
import type { EncodedRow, Encoding, Piece, RowSource, Selection } from './row-source.js';

export interface AuditExportFilters {
  readonly actor_id?: string;
  readonly target_id?: string;
  readonly action?: string;
  readonly outcome?: string;
  readonly from?: string;
  readonly to?: string;
}

/** What is sealed in each is opened by hand: fewer than of accounts. */
const MAX_ROWS = 500;

/** Of an entry, in the order in which they travel. */
export const auditFields: readonly (keyof AuditEntryResponse)[] = [
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
];

/** The trail as it was: nothing in it changes, so what is told apart is only what was there. */
@Injectable()
export class AuditSource {
  constructor(private readonly audit: AuditService) {}

  select({ moment, filters, fields, encoding }: Selection<AuditExportFilters>): RowSource {
    return {
      maxRows: MAX_ROWS,
      read: async (after: string, limit: number): Promise<Piece> => {
        const entries = await this.audit.findSeen(moment, filters, { after, limit });
        const upTo = entries.length < limit ? null : (entries.at(-1)?.id ?? null);
        return {
          rows: encodeEntries(
            entries.map(toAuditEntryResponse),
            fields as (keyof AuditEntryResponse)[],
            encoding,
          ),
          upTo,
        };
      },
    };
  }

  estimate(filters: AuditExportFilters): Promise<number> {
    return this.audit.estimate(filters);
  }
}

function* encodeEntries(
  entries: readonly AuditEntryResponse[],
  fields: readonly (keyof AuditEntryResponse)[],
  encoding: Encoding,
): Generator<EncodedRow> {
  for (const entry of entries) {
    const text =
      encoding === 'csv'
        ? fields.map((field) => csvValue(entry[field])).join(',')
        : JSON.stringify(Object.fromEntries(fields.map((field) => [field, entry[field]])));
    yield { id: entry.id, text };
  }
}
