import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import type { RequestOrigin } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app.error.js';
import { assertTimeKey, decodeCursor, encodeCursor, type PageKey } from '../../common/pagination/cursor.js';
import { type Page, toPage } from '../../common/pagination/page.js';
import { assertOffsetOrCursor, DEFAULT_LIMIT } from '../../common/pagination/page-query.dto.js';
import { type AuditChanges, type AuditDetails, detailsOf } from '../../platform/audit-log/audit-details.js';
import { auditEncryptionPurpose, AuditLog } from '../../platform/audit-log/audit-log.service.js';
import { UserEncryptionKeys } from '../../platform/crypto/user-encryption-keys.service.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { auditReasons } from '../audit-actions.js';
import { AuditEntriesRepository, type EncryptedEntry } from './audit-entries.repository.js';
import { AuditFiltersService } from './audit-filters.service.js';
import type { AuditFilters } from './audit-filters.types.js';
import type { ListAuditDto } from './dto/list-audit.dto.js';
import { type EmailsById, EntryEmailsReader, targetUserOf } from './entry-emails.reader.js';

/** An entry with its decrypted values. They are null once the user concerned is erased. */
export interface DecryptedEntry extends Omit<EncryptedEntry, keyof AuditDetails>, AuditDetails {
  readonly origin: RequestOrigin | null;
  /** The current addresses of actor and target. Null for a user whom the caller may not read. */
  readonly actorEmail: string | null;
  readonly targetEmail: string | null;
}

/** Reads the audit log. Each read by a caller also creates an entry. */
@Injectable()
export class AuditService {
  constructor(
    private readonly entries: AuditEntriesRepository,
    private readonly filters: AuditFiltersService,
    private readonly emails: EntryEmailsReader,
    private readonly auditLog: AuditLog,
    private readonly keys: UserEncryptionKeys,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /** @throws AppError `VALIDATION_ERROR`, `FORBIDDEN` for a filter that discloses a user whom the caller may not read */
  async list(query: ListAuditDto, caller: Principal): Promise<Page<DecryptedEntry>> {
    assertOffsetOrCursor(query);
    const { limit = DEFAULT_LIMIT, offset = 0 } = query;
    const { filters, scope: given } = await this.filters.resolve(query, caller);
    const scope = { list: 'audit', ...given };
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
      const items = await this.decryptAll(page.items, await this.emails.find(page.items, caller));
      // This comes last because a transaction that has written delays the next seal until it ends.
      await this.auditLog.record({ action: 'audit.read', target: null });
      return { ...page, items };
    });
  }

  /**
   * Returns the actions of a user and the actions on them, newest first. Decrypts only values under the
   * user's own key, because an administrator's location or another person's name is not the user's data.
   * Creates no entry, because users may read about themselves.
   */
  async findAbout(
    user: { readonly id: string; readonly email: string },
    before: PageKey | null,
    limit: number,
  ): Promise<DecryptedEntry[]> {
    const entries = await this.entries.findAbout(user.id, before, limit);
    return this.decryptAll(
      entries.map((entry) => ({
        ...entry,
        originEncrypted: entry.originKey === user.id ? entry.originEncrypted : null,
        changesEncrypted: entry.changesKey === user.id ? entry.changesEncrypted : null,
      })),
      new Map([[user.id, user.email]]),
    );
  }

  /** Returns entries of an export snapshot by id. The export itself has created the audit entry. */
  async findInSnapshot(
    snapshot: { epoch: number; snapshot: string },
    filters: AuditFilters,
    { caller, ...place }: { after: string; limit: number; caller: Principal },
  ): Promise<DecryptedEntry[]> {
    const entries = await this.entries.findInSnapshot(snapshot, filters, place);
    return this.decryptAll(entries, await this.emails.find(entries, caller));
  }

  countDroppedMonths(): Promise<number> {
    return this.entries.countDroppedMonths();
  }

  /** Returns the estimated number of matching entries. */
  estimate(filters: AuditFilters): Promise<number> {
    return this.entries.estimate(filters);
  }

  /** @throws AppError `NOT_FOUND` */
  get(id: string, caller: Principal): Promise<DecryptedEntry> {
    return this.unitOfWork.run(async () => {
      const entry = await this.entries.findById(id);
      if (!entry) throw new AppError('NOT_FOUND');
      const emails = await this.emails.find([entry], caller);
      await this.auditLog.record({ action: 'audit.read', target: { type: 'audit_entry', id } });
      return this.decryptEntry(entry, emails);
    });
  }

  /** Decrypts one entry after another because they share the connection. */
  private async decryptAll(
    entries: readonly EncryptedEntry[],
    emails: EmailsById,
  ): Promise<DecryptedEntry[]> {
    const decrypted: DecryptedEntry[] = [];
    for (const entry of entries) decrypted.push(await this.decryptEntry(entry, emails));
    return decrypted;
  }

  private async decryptEntry(entry: EncryptedEntry, emails: EmailsById): Promise<DecryptedEntry> {
    const { id, originKey, originEncrypted, changesKey, changesEncrypted } = entry;
    const origin = await this.decryptValue<RequestOrigin>(
      originKey,
      originEncrypted,
      auditEncryptionPurpose(id, 'origin'),
    );
    const changes = await this.decryptValue<AuditChanges>(
      changesKey,
      changesEncrypted,
      auditEncryptionPurpose(id, 'changes'),
    );
    return {
      ...entry,
      origin,
      ...detailsOf({ changes, reason: entry.reason }, auditReasons),
      actorEmail: emails.get(entry.actorId ?? '') ?? null,
      targetEmail: emails.get(targetUserOf(entry) ?? '') ?? null,
    };
  }

  private async decryptValue<T>(
    userId: string | null,
    encrypted: Buffer | null,
    purpose: string,
  ): Promise<T | null> {
    const cipher = userId !== null && encrypted && (await this.keys.decryptionCipher(userId));
    return cipher ? (JSON.parse(cipher.decrypt(encrypted, purpose).toString()) as T) : null;
  }
}
