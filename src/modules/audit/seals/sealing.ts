import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { AuditKeysService } from './audit-keys.service.js';
import { EntriesRepository } from './entries.repository.js';
import { leafHashes } from './leaf.js';
import { rootOf } from './merkle.js';
import { BEGINNING } from '../../../common/history-position.js';
import { MAX_SEALED, NO_SEAL, type Seal, signSeal } from './seal.js';
import { SealsRepository } from './seals.repository.js';

export interface Sealed {
  /** The latest seal, including the one just written. */
  readonly head: Seal | null;
  readonly entries: number;
}

/**
 * Creates one seal. It never blocks writers or waits for them. It reads entries with plain selects and leaves
 * unsettled ones to the next seal.
 */
@Injectable()
export class Sealing {
  constructor(
    private readonly keys: AuditKeysService,
    private readonly seals: SealsRepository,
    private readonly entries: EntriesRepository,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /** @returns null while another instance is sealing */
  sealNext(): Promise<Sealed | null> {
    return this.unitOfWork.run(async () => ((await this.takeTurn()) ? this.seal() : null));
  }

  /**
   * Writes the next seal. The order of the steps matters. The last seal is read under the lock, so no other
   * instance can write one. The horizon is taken before the entries are read, so that none below it is
   * missed. The seal is written last with a synchronous commit. Its transaction has a greater id than any
   * entry it covers and is on disk before it counts. After a crash, PostgreSQL therefore cannot reuse an id
   * below it.
   */
  private async seal(): Promise<Sealed> {
    const last = await this.seals.findLatest();
    const horizon = await this.entries.findHorizon();
    const entries = await this.entries.findSettled(last?.position ?? BEGINNING, horizon, MAX_SEALED);
    const end = entries.at(-1);
    if (!end) return { head: last, entries: 0 };

    const hashes = await leafHashes(entries);
    const { kid, privateKey } = this.keys.signing;
    const seal = signSeal(
      {
        number: (last?.number ?? 0) + 1,
        position: { epoch: end.epoch, xid: end.xid, seq: end.seq },
        entries: entries.length,
        root: rootOf(hashes),
        previous: last?.hash ?? NO_SEAL,
        sealedAt: later(horizon.at, last?.sealedAt),
        kid,
      },
      privateKey,
    );
    await this.seals.insert({ ...seal, leafHashes: hashes });
    return { head: seal, entries: entries.length };
  }

  private async takeTurn(): Promise<boolean> {
    const taken = await this.seals.tryLock();
    if (!taken) await this.seals.endStalledSealer();
    return taken;
  }
}

/** Returns the later time, so that a clock that was set back cannot put a seal before its predecessor. */
const later = (time: Date, other: Date | undefined): Date => (other && other > time ? other : time);
