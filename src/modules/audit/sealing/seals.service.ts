import { NIL_UUID } from '../../../common/ids.js';
import { Injectable } from '@nestjs/common';
import { endOfTransaction, type EventPosition, START_POSITION } from '../../../common/event-position.js';
import { AppError } from '../../../common/errors/app.error.js';
import { decodeCursor, encodeCursor } from '../../../common/pagination/cursor.js';
import { type Page, toPage } from '../../../common/pagination/page.js';
import {
  assertOffsetOrCursor,
  DEFAULT_LIMIT,
  type PageQuery,
} from '../../../common/pagination/page-query.dto.js';
import { assertTimeRange } from '../../../common/validation/time.decorator.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { AuditKeysService } from './audit-keys.service.js';
import type { VerifyTrailDto } from '../dto/verify-audit-log.dto.js';
import { SettledEntriesRepository } from './settled-entries.repository.js';
import type { AuditJwk } from '../proofs/key-set.js';
import { leafData } from '../proofs/leaf.js';
import { hashLeaf, inclusionPath } from '../proofs/merkle-tree.js';
import { RetentionsRepository } from '../retention/retentions.repository.js';
import type { Seal } from '../proofs/seal.js';
import { SealsRepository } from './seals.repository.js';
import { AuditLogReader, type SealRange } from './audit-log.reader.js';
import { type AuditVerdict, verifyAuditLog } from '../proofs/verify-audit-log.js';

const SCOPE = { list: 'audit-seals' };
const NUMBER = /^[1-9]\d{0,14}$/;
/**
 * The margin around a time range. An entry is sealed after its own time, because clocks differ and commits
 * come late.
 */
const CLOCK_SLACK_MS = 60_000;

/** A proof that a seal covers an entry. */
export interface Proof {
  readonly leafData: Buffer;
  readonly index: number;
  readonly path: readonly Buffer[];
  readonly seal: Seal;
}

/** Provides the seals and proofs to callers who may read the audit log. */
@Injectable()
export class SealsService {
  constructor(
    private readonly keys: AuditKeysService,
    private readonly seals: SealsRepository,
    private readonly entries: SettledEntriesRepository,
    private readonly retentions: RetentionsRepository,
    private readonly auditLog: AuditLogReader,
    private readonly audit: AuditLog,
  ) {}

  /** Returns the age in seconds of the oldest entry without a seal, settled or not; 0 if there is none. */
  async lagSeconds(): Promise<number> {
    const last = await this.seals.findLatest();
    return this.entries.findAgeAfter(last?.position ?? START_POSITION);
  }

  /**
   * Returns a position of the history such that everything before it was committed before `time`, or null when no
   * seal is that old. It lies at most a few seconds before `time`, because a seal is made each second in which
   * something settled.
   */
  async findPositionBefore(time: Date): Promise<EventPosition | null> {
    const seal = await this.seals.findLastBefore(time);
    return seal && endOfTransaction(seal.position);
  }

  async list(query: PageQuery): Promise<Page<Seal>> {
    assertOffsetOrCursor(query);
    const { limit = DEFAULT_LIMIT, offset = 0, cursor } = query;
    const below = cursor === undefined ? null : numberOf(decodeCursor(cursor, SCOPE).key);
    const rows = await this.seals.findPage({ below, limit: limit + 1, offset });
    return toPage(
      rows,
      query,
      (last) => encodeCursor({ key: String(last.number), id: NIL_UUID }, SCOPE),
      (kind) => this.count(kind),
    );
  }

  /**
   * Returns the latest seal with the key that signed it. @throws AppError `NOT_FOUND` before the first seal
   */
  async getHead(): Promise<{ seal: Seal; key: AuditJwk }> {
    const seal = await this.seals.findLatest();
    if (!seal) throw new AppError('NOT_FOUND');
    const key = (await this.keys.findTrusted()).find(({ kid }) => kid === seal.kid);
    if (!key) throw new AppError('CONFLICT', { message: 'The latest seal is signed by an unknown key' });
    return { seal, key };
  }

  /**
   * Returns the proof for an entry. It discloses the entry, so it is recorded as a read of the audit log.
   * @throws AppError `NOT_FOUND` for an unknown entry, `CONFLICT` for one that is not sealed
   */
  async prove(entryId: string): Promise<Proof> {
    const entry = await this.entries.findById(entryId);
    if (!entry) throw new AppError('NOT_FOUND');
    const seal = await this.seals.findCovering(entry);
    if (!seal) {
      throw new AppError('CONFLICT', {
        message: 'The entry is not sealed yet',
        headers: { 'Retry-After': '1' },
      });
    }
    const data = leafData(entry);
    const leaf = hashLeaf(data);
    const index = seal.leafHashes.findIndex((each) => each.equals(leaf));
    if (index === -1) {
      throw new AppError('CONFLICT', { message: `The entry differs from its hash in seal ${seal.number}` });
    }
    await this.audit.record({ action: 'audit.read', target: { type: 'audit_entry', id: entryId } });
    return { leafData: data, index, path: inclusionPath(seal.leafHashes, index), seal };
  }

  async verify(input: VerifyTrailDto): Promise<AuditVerdict> {
    const range = await this.sealRangeOf(input);
    const keys = await this.keys.findKeySet();
    const retentions = await this.retentions.findAll();
    const verdict = await verifyAuditLog(this.auditLog.blocks(range), {
      keys,
      retentions,
      partial: range.last !== undefined,
      ...(range.since && { since: range.since }),
    });
    await this.audit.record({ action: 'audit.verify', target: null });
    return verdict;
  }

  /**
   * Converts times to seal numbers by the signed times of the seals. Entry times would not do: after an
   * attacker removed all entries of the range, nothing would be left to find.
   */
  private async sealRangeOf(times: VerifyTrailDto): Promise<SealRange> {
    assertTimeRange(times);
    const { from, to } = times;
    // Queries run one after another, because with an Idempotency-Key they share a connection.
    const first = from === undefined ? 1 : await this.seals.findNumberFrom(shifted(from, -CLOCK_SLACK_MS));
    const end = to === undefined ? null : await this.seals.findNumberFrom(shifted(to, CLOCK_SLACK_MS));
    // Without a seal after `from`, only the unsealed entries after the last seal remain.
    const since = first === null ? await this.seals.findLatest() : await this.seals.findByNumber(first - 1);
    return { since, ...(end !== null && { last: end }) };
  }

  /** Counts the seals. Their numbers have no gaps, so the latest number is a free estimate. */
  private async count(kind: 'exact' | 'estimate'): Promise<number> {
    return kind === 'exact' ? this.seals.count() : ((await this.seals.findLatest())?.number ?? 0);
  }
}

const shifted = (time: string, ms: number): Date => new Date(Date.parse(time) + ms);

/** Validates the number, because a client can forge a cursor. */
function numberOf(key: string): number {
  if (!NUMBER.test(key)) throw AppError.invalid('cursor', 'cursor was not issued by this list');
  return Number(key);
}
