import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { AuditKeysService } from './audit-keys.service.js';
import { SettledEntriesRepository } from './settled-entries.repository.js';
import { leafHashes } from '../proofs/leaf.js';
import { rootOf } from '../proofs/merkle-tree.js';
import { START_POSITION } from '../../../common/event-position.js';
import { MAX_ENTRIES_PER_SEAL, NO_PREVIOUS_SEAL, type Seal, signSeal } from '../proofs/seal.js';
import { SealsRepository } from './seals.repository.js';

export interface SealingResult {
  /** The latest seal, including the one just written. */
  readonly head: Seal | null;
  readonly entries: number;
}

/**
 * Creates one seal. It never blocks writers or waits for them. It reads entries with plain selects and leaves
 * unsettled ones to the next seal.
 */
@Injectable()
export class SealingService {
  constructor(
    private readonly keys: AuditKeysService,
    private readonly seals: SealsRepository,
    private readonly entries: SettledEntriesRepository,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /** @returns null while another instance is sealing */
  sealNext(): Promise<SealingResult | null> {
    return this.unitOfWork.run(async () => ((await this.tryLock()) ? this.seal() : null));
  }

  /**
   * Writes the next seal. The order of the steps matters. The last seal is read under the lock, so no other
   * instance can write one. The horizon is taken before the entries are read, so that none below it is
   * missed. The seal is written last with a synchronous commit. Its transaction has a greater id than any
   * entry it covers and is on disk before it counts. After a crash, PostgreSQL therefore cannot reuse an id
   * below it.
   */
  private async seal(): Promise<SealingResult> {
    const last = await this.seals.findLatest();
    const horizon = await this.entries.findHorizon();
    const entries = await this.entries.findSettled(
      last?.position ?? START_POSITION,
      horizon,
      MAX_ENTRIES_PER_SEAL,
    );
    const end = entries.at(-1);
    if (!end) return { head: last, entries: 0 };

    const hashes = await leafHashes(entries);
    const { kid, privateKey } = this.keys.signingKey;
    const seal = signSeal(
      {
        number: (last?.number ?? 0) + 1,
        position: { epoch: end.epoch, xid: end.xid, seq: end.seq },
        entries: entries.length,
        root: rootOf(hashes),
        previous: last?.hash ?? NO_PREVIOUS_SEAL,
        sealedAt: laterOf(horizon.at, last?.sealedAt),
        kid,
      },
      privateKey,
    );
    await this.seals.insert({ ...seal, leafHashes: hashes });
    return { head: seal, entries: entries.length };
  }

  private async tryLock(): Promise<boolean> {
    const taken = await this.seals.tryLock();
    if (!taken) await this.seals.endStalledSealer();
    return taken;
  }
}

/** Returns the later time, so that a clock that was set back cannot put a seal before its predecessor. */
const laterOf = (time: Date, other: Date | undefined): Date => (other && other > time ? other : time);
