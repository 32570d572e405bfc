import { Injectable } from '@nestjs/common';
import type { RequestOrigin } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app-error.js';
import { assertTimeKey, decodeCursor, encodeCursor, type Position } from '../../common/pagination/cursor.js';
import { type Page, toPage } from '../../common/pagination/page.js';
import { assertOneWayToPage, DEFAULT_LIMIT } from '../../common/pagination/page-query.dto.js';
import { assertTimeRange } from '../../common/validation/time-range.js';
import {
  type AuditChanges,
  type AuditDetails,
  unpackDetails,
} from '../../platform/audit-trail/audit-details.js';
import { auditSealPurpose, AuditTrail } from '../../platform/audit-trail/audit-trail.js';
import { AccountKeys } from '../../platform/crypto/account-keys.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { auditReasons } from '../audit-actions.js';
import { AuditEntriesRepository, type AuditFilters, type SealedEntry } from './audit-entries.repository.js';
import type { ListAuditDto } from './dto/list-audit.dto.js';

/** An entry with its decrypted values. They are null once the user concerned is erased. */
export interface OpenedEntry extends SealedEntry, AuditDetails {
  readonly origin: RequestOrigin | null;
}

/** Reads the audit log. Each read by a caller also creates an entry. */
@Injectable()
export class AuditService {
  constructor(
    private readonly entries: AuditEntriesRepository,
    private readonly trail: AuditTrail,
    private readonly keys: AccountKeys,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /** @throws AppError `VALIDATION_ERROR` */
  async list(query: ListAuditDto): Promise<Page<OpenedEntry>> {
    assertOneWayToPage(query);
    assertTimeRange(query);
    const { actor_id, target_id, action, outcome, from, to, limit = DEFAULT_LIMIT, offset = 0 } = query;
    const filters = { actor_id, target_id, action, outcome, from, to };
    const scope = { list: 'audit', ...filters };
    const after = query.cursor === undefined ? null : decodeCursor(query.cursor, scope);
    if (after) assertTimeKey(after.key);
    return this.unitOfWork.run(async () => {
      const rows = await this.entries.findPage(filters, { limit: limit + 1, offset, after });
      const page = await toPage(
        rows,
        query,
        (last) => encodeCursor({ key: last.occurredAt.toISOString(), id: last.id }, scope),
        (kind) => (kind === 'exact' ? this.entries.count(filters) : this.entries.estimate(filters)),
      );
      const items = await this.openAll(page.items);
      // This comes last because a transaction that has written delays the next seal until it ends.
      await this.trail.record({ action: 'audit.read', target: null });
      return { ...page, items };
    });
  }

  /**
   * Returns the actions of a user and the actions on them, newest first. Decrypts only values under the
   * user's own key, because an administrator's location or another person's name is not the user's data.
   * Creates no entry, because users may read about themselves.
   */
  async findAbout(account: string, before: Position | null, limit: number): Promise<OpenedEntry[]> {
    const entries = await this.entries.findAbout(account, before, limit);
    return this.openAll(
      entries.map((entry) => ({
        ...entry,
        originSealed: entry.originKey === account ? entry.originSealed : null,
        changesSealed: entry.changesKey === account ? entry.changesSealed : null,
      })),
    );
  }

  /** Returns entries of an export snapshot by id. The export itself has created the audit entry. */
  async findSeen(
    snapshot: { epoch: number; snapshot: string },
    filters: AuditFilters,
    place: { after: string; limit: number },
  ): Promise<OpenedEntry[]> {
    return this.openAll(await this.entries.findSeen(snapshot, filters, place));
  }

  countDroppedMonths(): Promise<number> {
    return this.entries.countDroppedMonths();
  }

  /** Returns the estimated number of matching entries. */
  estimate(filters: AuditFilters): Promise<number> {
    return this.entries.estimate(filters);
  }

  /** @throws AppError `NOT_FOUND` */
  get(id: string): Promise<OpenedEntry> {
    return this.unitOfWork.run(async () => {
      const entry = await this.entries.findById(id);
      if (!entry) throw new AppError('NOT_FOUND');
      await this.trail.record({ action: 'audit.read', target: { type: 'audit_entry', id } });
      return this.open(entry);
    });
  }

  /** Decrypts one entry after another because they share the connection. */
  private async openAll(entries: readonly SealedEntry[]): Promise<OpenedEntry[]> {
    const opened: OpenedEntry[] = [];
    for (const entry of entries) opened.push(await this.open(entry));
    return opened;
  }

  private async open(entry: SealedEntry): Promise<OpenedEntry> {
    const { id, originKey, originSealed, changesKey, changesSealed } = entry;
    const origin = await this.unseal<RequestOrigin>(originKey, originSealed, auditSealPurpose(id, 'origin'));
    const details = await this.unseal<AuditChanges>(
      changesKey,
      changesSealed,
      auditSealPurpose(id, 'changes'),
    );
    return { ...entry, origin, ...unpackDetails(details, auditReasons) };
  }

  private async unseal<T>(account: string | null, sealed: Buffer | null, purpose: string): Promise<T | null> {
    const opener = account !== null && sealed && (await this.keys.openerOf(account));
    return opener ? (JSON.parse(opener.open(sealed, purpose).toString()) as T) : null;
  }
}
