import { Injectable } from '@nestjs/common';
import { AppError } from '../../../common/errors/app-error.js';
import { decodeCursor, encodeCursor } from '../../../common/pagination/cursor.js';
import { type Page, toPage } from '../../../common/pagination/page.js';
import {
  assertOneWayToPage,
  DEFAULT_LIMIT,
  type PageQuery,
} from '../../../common/pagination/page-query.dto.js';
import { assertTimeRange } from '../../../common/validation/time-range.js';
import { AuditTrail } from '../../../platform/audit-trail/audit-trail.js';
import { AuditKeysService } from './audit-keys.service.js';
import type { VerifyTrailDto } from './dto/verify-trail.dto.js';
import { EntriesRepository } from './entries.repository.js';
import type { AuditJwk } from './key-set.js';
import { leafData } from './leaf.js';
import { hashLeaf, inclusionPath } from './merkle.js';
import { RetentionsRepository } from './retentions.repository.js';
import type { Seal } from './seal.js';
import { SealsRepository } from './seals.repository.js';
import { Trail, type TrailRange } from './trail.js';
import { type Verdict, verifyTrail } from './verify.js';

const SCOPE = { list: 'audit-seals' };
/** A cursor ends in an id; the number of a seal is its own. */
const NO_ID = '00000000-0000-0000-0000-000000000000';
const NUMBER = /^[1-9]\d{0,14}$/;
/** An entry is sealed after its time: clocks differ, and a commit may come late. */
const SLACK_MS = 60_000;

/** That an entry stands in a seal. */
export interface Proof {
  readonly leafData: Buffer;
  readonly index: number;
  readonly path: readonly Buffer[];
  readonly seal: Seal;
}

/** What the seals show to those who read the audit. */
@Injectable()
export class SealsService {
  constructor(
    private readonly keys: AuditKeysService,
    private readonly seals: SealsRepository,
    private readonly entries: EntriesRepository,
    private readonly retentions: RetentionsRepository,
    private readonly trail: Trail,
    private readonly audit: AuditTrail,
  ) {}

  async list(query: PageQuery): Promise<Page<Seal>> {
    assertOneWayToPage(query);
    const { limit = DEFAULT_LIMIT, offset = 0, cursor } = query;
    const below = cursor === undefined ? null : numberOf(decodeCursor(cursor, SCOPE).key);
    const rows = await this.seals.findPage({ below, limit: limit + 1, offset });
    return toPage(
      rows,
      query,
      (last) => encodeCursor({ key: String(last.number), id: NO_ID }, SCOPE),
      (kind) => this.count(kind),
    );
  }

  /** With the key that signed it. @throws AppError `NOT_FOUND` before the first seal */
  async getHead(): Promise<{ seal: Seal; key: AuditJwk }> {
    const seal = await this.seals.findLatest();
    if (!seal) throw new AppError('NOT_FOUND');
    const key = (await this.keys.findTrusted()).find(({ kid }) => kid === seal.kid);
    if (!key)
      throw new AppError('CONFLICT', { message: 'The last seal is signed by a key that is not ours' });
    return { seal, key };
  }

  /**
   * It shows what the entry says, so it is a reading of the trail.
   * @throws AppError `NOT_FOUND` for an entry that is not there, `CONFLICT` for one that is in no seal
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
      throw new AppError('CONFLICT', { message: `The entry is not as it was sealed in seal ${seal.number}` });
    }
    await this.audit.record({ action: 'audit.read', target: { type: 'audit_entry', id: entryId } });
    return { leafData: data, index, path: inclusionPath(seal.leafHashes, index), seal };
  }

  async verify(input: VerifyTrailDto): Promise<Verdict> {
    const range = await this.rangeOf(input);
    const keys = await this.keys.findKeySet();
    const retentions = await this.retentions.findAll();
    const verdict = await verifyTrail(this.trail.blocks(range), {
      keys,
      retentions,
      partial: range.last !== undefined,
      ...(range.since && { since: range.since }),
    });
    await this.audit.record({ action: 'audit.verify', target: null });
    return verdict;
  }

  /**
   * By the times of the seals, which are signed: by those of entries, who takes them all away would
   * leave nothing to look for.
   */
  private async rangeOf(times: VerifyTrailDto): Promise<TrailRange> {
    assertTimeRange(times);
    const { from, to } = times;
    // One after the other: with an Idempotency-Key they share a connection.
    const first = from === undefined ? 1 : await this.seals.findNumberFrom(shifted(from, -SLACK_MS));
    const end = to === undefined ? null : await this.seals.findNumberFrom(shifted(to, SLACK_MS));
    // Nothing was sealed since: what is left is what no seal covers yet, after the last one.
    const since = first === null ? await this.seals.findLatest() : await this.seals.findByNumber(first - 1);
    return { since, ...(end !== null && { last: end }) };
  }

  /** The numbers have no gaps, so the last one is an estimate that costs nothing. */
  private async count(kind: 'exact' | 'estimate'): Promise<number> {
    return kind === 'exact' ? this.seals.count() : ((await this.seals.findLatest())?.number ?? 0);
  }
}

const shifted = (time: string, ms: number): Date => new Date(Date.parse(time) + ms);

/** A cursor is the client's word. */
function numberOf(key: string): number {
  if (!NUMBER.test(key)) throw AppError.invalid('cursor', 'cursor is not one that this list gave out');
  return Number(key);
}
