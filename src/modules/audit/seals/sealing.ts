import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { AuditKeysService } from './audit-keys.service.js';
import { EntriesRepository } from './entries.repository.js';
import { leafHashes } from './leaf.js';
import { rootOf } from './merkle.js';
import { BEGINNING } from '../../../common/history-position.js';
import { MAX_SEALED, NO_SEAL, type Seal, signSeal } from './seal.js';
import { SealsRepository } from './seals.repository.js';

/** "seal" in ASCII: the key of the advisory lock that makes one of all instances the sealer. */
const SEAL_LOCK = 0x7365616c;
/** An instance that stops answering while it seals: its connection is ended, and another takes over. */
const HELD_AT_MOST = '5s';

export interface Sealed {
  /** The last seal there is now. */
  readonly head: Seal | null;
  readonly entries: number;
}

/**
 * Makes one seal. Writers are not waited for and do not wait: entries are read as anybody reads them,
 * and what is not settled yet is left for the next seal.
 */
@Injectable()
export class Sealing {
  constructor(
    private readonly keys: AuditKeysService,
    private readonly seals: SealsRepository,
    private readonly entries: EntriesRepository,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /** @returns null when another instance is sealing at this moment */
  sealNext(): Promise<Sealed | null> {
    return this.unitOfWork.run(async () => ((await this.takeTurn()) ? this.seal() : null));
  }

  /**
   * The order of the steps is the proof. The last seal is read once nobody else can write one. The
   * horizon is taken before the entries are read, so that none below it is missed. And the seal is
   * written last, synchronously: its own transaction has a greater id than any entry under it, and
   * is on disk when it counts, so that no id below it is given out again after a crash.
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

  /** Ends with the transaction, as a pooler in transaction mode wants it. */
  private async takeTurn(): Promise<boolean> {
    const rows: [{ taken: boolean }] = await this.unitOfWork.manager.query(
      `SELECT set_config('synchronous_commit', 'on', true),
              set_config('idle_in_transaction_session_timeout', '${HELD_AT_MOST}', true),
              pg_try_advisory_xact_lock(${SEAL_LOCK}) AS taken`,
    );
    const { taken } = rows[0];
    if (!taken) await this.endStalled();
    return taken;
  }

  /** The server ends none by time while it waits for its client to take an answer: whoever else would seal does. */
  private async endStalled(): Promise<void> {
    await this.unitOfWork.manager.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE locktype = 'advisory' AND classid = 0 AND objid = ${SEAL_LOCK} AND granted AND datname = current_database()
         AND wait_event = 'ClientWrite' AND state_change < clock_timestamp() - interval '${HELD_AT_MOST}'`,
    );
  }
}

/** A clock that was set back must not put a seal before the one it follows. */
const later = (time: Date, other: Date | undefined): Date => (other && other > time ? other : time);
