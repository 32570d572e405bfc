import { Injectable, type OnModuleInit } from '@nestjs/common';
import { argon2id, hash, verify } from 'argon2';
import PQueue from 'p-queue';
import { AppError } from '../../common/errors/app-error.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';

/** OWASP's first choice for argon2id: 19 MiB, two passes, one lane. */
const PARAMETERS = { type: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
/** Waiting hashes for each one that runs: about two seconds' worth. */
const QUEUE_PER_LANE = 64;

/**
 * Hashes passwords in a bounded lane: each hash holds 19 MiB and a core for some 30 ms, so more at
 * once would only slow down everything else.
 * @throws AppError `OVERLOADED` when the queue is full
 */
@Injectable()
export class PasswordHasher implements OnModuleInit {
  private readonly lane: PQueue;
  private readonly bound: number;
  private decoy = '';

  constructor(@InjectConfig() config: Config) {
    this.lane = new PQueue({ concurrency: config.PASSWORD_CONCURRENCY });
    this.bound = config.PASSWORD_CONCURRENCY * QUEUE_PER_LANE;
  }

  /** Before anybody asks, or the first unknown address would take two hashes. */
  async onModuleInit(): Promise<void> {
    this.decoy = await this.hash('a password that nobody has');
  }

  /** A PHC string. Unicode passwords are hashed in NFC, so that every keyboard's spelling is one. */
  hash(password: string): Promise<string> {
    return this.inLane(() => hash(password.normalize('NFC'), PARAMETERS));
  }

  /**
   * Whether the password is the one that was hashed. Without a hash it takes as long and says no, so
   * that an unknown address cannot be told from a wrong password by the clock.
   */
  async matches(password: string, phc: string | null): Promise<boolean> {
    const against = phc ?? this.decoy;
    const same = await this.inLane(() => verify(against, password.normalize('NFC')));
    return same && phc !== null;
  }

  private async inLane<T>(work: () => Promise<T>): Promise<T> {
    if (this.lane.size >= this.bound) throw new AppError('OVERLOADED');
    return this.lane.add(work);
  }
}
