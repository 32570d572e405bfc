import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { PasswordMetrics } from '../metrics/password-metrics.js';
import { DecoyHashes } from './decoy-hashes.js';
import { BCRYPT_BYTES, verifyArgon2InPool } from './foreign-hashes.js';
import { isOwn, relativeCost } from './hash-cost.js';
import { hashPassword } from './own-hash.js';
import { PasswordLane } from './password-lane.js';
import { parseStoredHash, type StoredHash } from './stored-hash.js';
import { VerifierThreads } from './verifier-threads.js';

/** Waiting hashes for each one that runs: about two seconds' worth. */
const QUEUE_PER_LANE = 64;
/** Our own hashes for each foreign one that runs, and at most so many foreign ones. */
const OWN_PER_FOREIGN = 4;
const MAX_FOREIGN = 4;
/** Waiting work for each foreign hash that runs: about five seconds of a core. */
const FOREIGN_QUEUE_COST = 160;
/** A foreign hash up to this cost does not wait for dearer ones. The usual parameters lie below it. */
const CHEAP_COST = 12;
/** Steps of niceness. Sixteen lanes of argon2 then weigh less than two threads of normal priority. */
const DEAR_NICENESS = 10;
/** A cheap hash is soon done, and must not take many times longer while the machine is busy. */
const CHEAP_NICENESS = 5;

/** A password that somebody presents, and the address that they claim, in canonical form if it has one. */
export interface Guess {
  readonly password: string;
  readonly address: string;
}

/**
 * Hashes and verifies passwords in two bounded lanes. One of our own hashes takes 19 MiB and some 30 ms of a
 * core, so running more at once than there are cores would only slow down everything else. The hashes of other
 * systems may cost fifty times as much: they have a lane of their own, in threads of low priority.
 * @throws AppError `OVERLOADED` when the queue of the lane is full or does not move for 5 s
 */
@Injectable()
export class PasswordHasher implements OnModuleDestroy {
  private readonly own: PasswordLane;
  private readonly foreign: PasswordLane;
  private readonly cheapThreads = new VerifierThreads(CHEAP_NICENESS);
  private readonly dearThreads = new VerifierThreads(DEAR_NICENESS);

  constructor(
    @InjectConfig() { PASSWORD_CONCURRENCY: concurrency }: Config,
    private readonly decoys: DecoyHashes,
    metrics: PasswordMetrics,
  ) {
    this.own = new PasswordLane('own', { concurrency, waitingCost: concurrency * QUEUE_PER_LANE }, metrics);
    const foreign = Math.min(Math.max(Math.floor(concurrency / OWN_PER_FOREIGN), 1), MAX_FOREIGN);
    const waitingCost = foreign * FOREIGN_QUEUE_COST;
    const limits = { concurrency: foreign, waitingCost, cheapCost: CHEAP_COST };
    this.foreign = new PasswordLane('foreign', limits, metrics);
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all([this.cheapThreads.close(), this.dearThreads.close()]);
  }

  /** Returns a PHC string. */
  hash(password: string): Promise<string> {
    return this.own.run(() => hashPassword(password));
  }

  /**
   * Tells whether the password is the one that was hashed. Without a hash, or with one that is malformed,
   * verifies a decoy and says no, so that the time does not tell an unknown address from a wrong password.
   */
  async matches({ password, address }: Guess, stored: string | null): Promise<boolean> {
    const decoy = this.decoys.of(address);
    const hashed = stored === null ? null : parseStoredHash(stored);
    const matches = await this.verify(hashed ?? decoy, spellingsOf(password));
    return matches && hashed !== null;
  }

  /**
   * Tells whether a stored hash that the password matches should be replaced by one of ours. bcrypt reads
   * only the first 72 bytes: the original password may be longer than those, or go on differently.
   */
  shouldRenew(stored: string, password: string): boolean {
    const hashed = parseStoredHash(stored);
    if (!hashed || isOwn(hashed)) return false;
    return hashed.algorithm !== 'bcrypt' || spellingsOf(password).every(isReadWholeByBcrypt);
  }

  private verify(hashed: StoredHash, spellings: readonly string[]): Promise<boolean> {
    if (hashed.algorithm === 'argon2' && isOwn(hashed)) {
      return this.own.run(async () => {
        for (const spelling of spellings) if (await verifyArgon2InPool(hashed, spelling)) return true;
        return false;
      });
    }
    const cost = Math.max(relativeCost(hashed), 1) * spellings.length;
    const threads = cost <= CHEAP_COST ? this.cheapThreads : this.dearThreads;
    return this.foreign.run(() => threads.verify({ hash: hashed, spellings }), cost);
  }
}

/** Our hashes are over the NFC form; other systems hashed what they were sent. */
const spellingsOf = (password: string): string[] => [...new Set([password.normalize('NFC'), password])];

/** A password of exactly 72 bytes may be the beginning of the one that was hashed. */
const isReadWholeByBcrypt = (password: string): boolean => Buffer.byteLength(password) < BCRYPT_BYTES;
