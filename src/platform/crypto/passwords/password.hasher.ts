import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { PasswordMetrics } from '../../metrics/password.metrics.js';
import { DecoyHashesService } from './decoy-hashes.service.js';
import { BCRYPT_BYTES, trimLikePhp, verifyArgon2InPool } from './verify-foreign-hash.js';
import { isOwn, relativeCost } from './hash-cost.js';
import { hashPassword } from './own-hash.js';
import { PasswordQueue } from './password.queue.js';
import type { StoredHash } from './hash.types.js';
import { SignerKeysService } from './signer-keys.service.js';
import { parseStoredHash } from './stored-hash.js';
import { VerifierPool } from './verifier.pool.js';

/** The number of waiting hashes for each running one: about two seconds of work. */
const QUEUE_PER_LANE = 64;
/** The number of our own hashes for each running foreign one, whose number MAX_FOREIGN also bounds. */
const OWN_PER_FOREIGN = 4;
const MAX_FOREIGN = 4;
/** The cost of waiting work for each running foreign hash: about five seconds of a core. */
const FOREIGN_QUEUE_COST = 160;
/**
 * The cost up to which a foreign hash does not wait for expensive ones. The usual parameters lie below it.
 */
const CHEAP_COST = 12;
/** Steps of niceness. With them sixteen lanes of argon2 weigh less than two threads of normal priority. */
const EXPENSIVE_NICENESS = 10;
/**
 * Lower than for expensive hashes, because a cheap hash is short and must not take many times longer on a
 * busy machine.
 */
const CHEAP_NICENESS = 5;

/**
 * A password that a caller presents, and the address that the caller claims, in canonical form if it has one.
 */
export interface PresentedPassword {
  readonly password: string;
  readonly address: string;
}

/**
 * Hashes and verifies passwords in two bounded lanes. One of our own hashes takes 19 MiB and about 30 ms of a
 * core. Running more of them than cores would only slow down everything else. The hashes of other systems may
 * cost fifty times as much, so they have their own lane, in threads of low priority.
 * @throws AppError `OVERLOADED` when the queue of the lane is full or does not move for 5 s
 */
@Injectable()
export class PasswordHasher implements OnModuleDestroy {
  private readonly own: PasswordQueue;
  private readonly foreign: PasswordQueue;
  private readonly cheapThreads = new VerifierPool(CHEAP_NICENESS);
  private readonly expensiveThreads = new VerifierPool(EXPENSIVE_NICENESS);

  constructor(
    @InjectConfig() { PASSWORD_CONCURRENCY: concurrency }: Config,
    private readonly decoys: DecoyHashesService,
    private readonly signerKeys: SignerKeysService,
    metrics: PasswordMetrics,
  ) {
    this.own = new PasswordQueue('own', { concurrency, waitingCost: concurrency * QUEUE_PER_LANE }, metrics);
    const foreign = Math.min(Math.max(Math.floor(concurrency / OWN_PER_FOREIGN), 1), MAX_FOREIGN);
    const waitingCost = foreign * FOREIGN_QUEUE_COST;
    const limits = { concurrency: foreign, waitingCost, cheapCost: CHEAP_COST };
    this.foreign = new PasswordQueue('foreign', limits, metrics);
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all([this.cheapThreads.close(), this.expensiveThreads.close()]);
  }

  /** Returns a PHC string. */
  hash(password: string): Promise<string> {
    return this.own.run(() => hashPassword(password));
  }

  /**
   * Tells whether the password matches the stored hash. Without a valid hash it verifies a decoy and returns
   * false, so that the time does not distinguish an unknown address from a wrong password.
   */
  async matches({ password, address }: PresentedPassword, stored: string | null): Promise<boolean> {
    const decoy = this.decoys.forAddress(address);
    const hashed = stored === null ? null : parseStoredHash(stored);
    const { hash, isComplete } = await this.signerKeys.complete(hashed ?? decoy);
    const matches = await this.verify(hash, spellingsOf(password));
    return matches && isComplete && hashed !== null;
  }

  /**
   * Tells whether a stored hash that the password matches should be replaced by one of ours. bcrypt reads
   * only the first 72 bytes, so the original password may be longer or continue differently.
   */
  shouldRenew(stored: string, password: string): boolean {
    const hashed = parseStoredHash(stored);
    if (!hashed || isOwn(hashed)) return false;
    if (hashed.algorithm !== 'bcrypt' || hashed.prehash === 'django') return true;
    // Its owner may know the password without the spaces that WordPress ignored this time.
    if (hashed.prehash === 'wordpress') return password === trimLikePhp(password);
    return spellingsOf(password).every(isReadWholeByBcrypt);
  }

  private verify(hashed: StoredHash, spellings: readonly string[]): Promise<boolean> {
    if (hashed.algorithm === 'argon2' && isOwn(hashed)) {
      return this.own.run(async () => {
        for (const spelling of spellings) if (await verifyArgon2InPool(hashed, spelling)) return true;
        return false;
      });
    }
    const cost = Math.max(relativeCost(hashed), 1) * spellings.length;
    const threads = cost <= CHEAP_COST ? this.cheapThreads : this.expensiveThreads;
    return this.foreign.run(() => threads.verify({ hash: hashed, spellings }), cost);
  }
}

/** Returns the spellings to try. Our hashes use the NFC form; other systems hashed the text as received. */
const spellingsOf = (password: string): string[] => [...new Set([password.normalize('NFC'), password])];

/**
 * Tells whether bcrypt reads the whole password. One of exactly 72 bytes may be only the beginning of the
 * original.
 */
const isReadWholeByBcrypt = (password: string): boolean => Buffer.byteLength(password) < BCRYPT_BYTES;
