import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { argon2id, hash, needsRehash } from 'argon2';
import PQueue from 'p-queue';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app-error.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { verifierOf } from './foreign-hashes.js';

/** OWASP's first choice for argon2id: 19 MiB, two passes, one lane. */
const PARAMETERS = { type: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const OWN_PREFIX = '$argon2id$';
/** Waiting hashes for each one that runs: about two seconds' worth. */
const QUEUE_PER_LANE = 64;

/**
 * Hashes passwords in a bounded lane: each hash holds 19 MiB and a core for some 30 ms, so more at
 * once would only slow down everything else.
 * @throws AppError `OVERLOADED` when the queue is full
 */
@Injectable()
export class PasswordHasher {
  private readonly lane: PQueue;
  private readonly bound: number;
  private readonly decoy = decoyHash();

  constructor(@InjectConfig() config: Config) {
    this.lane = new PQueue({ concurrency: config.PASSWORD_CONCURRENCY });
    this.bound = config.PASSWORD_CONCURRENCY * QUEUE_PER_LANE;
  }

  /** A PHC string. Unicode passwords are hashed in NFC, so that every keyboard's spelling is one. */
  hash(password: string): Promise<string> {
    return this.inLane(() => hash(password.normalize('NFC'), PARAMETERS));
  }

  /**
   * Whether the password is the one that was hashed. Without a hash, or with one that is not believed,
   * it takes as long and says no, so that an unknown address cannot be told from a wrong password by
   * the clock.
   */
  async matches(password: string, phc: string | null): Promise<boolean> {
    const verifyStored = phc === null ? null : verifierOf(phc);
    const verify = verifyStored ?? verifierOf(this.decoy);
    return this.inLane(async () => (await verify?.(password)) === true && verifyStored !== null);
  }

  /** Whether a hash was made by another system or with weaker parameters: renew it while the password is at hand. */
  isOutdated(phc: string): boolean {
    return !phc.startsWith(OWN_PREFIX) || needsRehash(phc, PARAMETERS);
  }

  private async inLane<T>(work: () => Promise<T>): Promise<T> {
    if (this.lane.size >= this.bound) throw new AppError('OVERLOADED');
    const signal = requestContext.current()?.signal;
    return this.lane.add(() => {
      // Nobody waits for it any more: those behind it are served sooner.
      if (signal?.aborted) throw new AppError('TIMEOUT');
      return work();
    });
  }
}

/** Of no password: costs what one of ours costs, from the first time on. */
function decoyHash(): string {
  const { memoryCost, timeCost, parallelism } = PARAMETERS;
  const [salt, digest] = [16, 32].map((bytes) => randomBytes(bytes).toString('base64').replaceAll('=', ''));
  return `${OWN_PREFIX}v=19$m=${memoryCost},p=${parallelism},t=${timeCost}$${salt}$${digest}`;
}
