import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app-error.js';
import { requestContext } from '../../common/context/request-context.js';
import { clientNetwork } from '../../common/http/client-network.js';
import { KeyedDigest } from '../../platform/crypto/keyed-digest.js';
import { type Allowance, type Counter, SignInFailuresRepository } from './sign-in-failures.repository.js';
import { SessionsRepository } from './sessions.repository.js';

/** Ten for an account (NIST SP 800-63B-4, 3.2.2, allows a hundred), more for what many people share. */
const PER_ACCOUNT: Allowance = { failures: 10, forgetAfterSeconds: 3600, forgetFrom: 'last' };
const PER_NETWORK: Allowance = { failures: 100, forgetAfterSeconds: 3600, forgetFrom: 'first' };
const IN_ALL: Allowance = { failures: 10_000, forgetAfterSeconds: 60, forgetFrom: 'first' };

/** Where nobody of the account is signed in. */
const ANYWHERE = 'anywhere';

/** An attempt that was counted as a failure, until it turns out to be none. */
export interface Attempt {
  /** Inside a unit of work it is taken back only if that commits. */
  takeBack(): Promise<void>;
  /** Whether it matches. One that could not be judged, since too many wait to be, was no guess. */
  judge(matches: Promise<boolean>): Promise<boolean>;
}

interface Claimed {
  /** Canonical; also of an account that does not exist. */
  readonly emailKey: string;
  /** Where it is signed in. */
  readonly addresses: readonly string[];
}

/**
 * Slows guessing down, by account, by network and in all. It never locks an account for good, and a
 * network from which the account is signed in is counted apart: where the owner has a session that is
 * alive, a stranger's guesses from elsewhere hold back strangers, not the owner.
 */
@Injectable()
export class BruteForce {
  constructor(
    private readonly failures: SignInFailuresRepository,
    private readonly sessions: SessionsRepository,
    private readonly digests: KeyedDigest,
  ) {}

  /** Unknown addresses are counted alike, so that the answer does not tell them apart. @throws AppError `RATE_LIMITED` */
  async begin({ emailKey, addresses }: Claimed, ip: string): Promise<Attempt> {
    const network = clientNetwork(ip);
    const known = addresses.some((address) => clientNetwork(address) === network);
    const from = known ? network : ANYWHERE;
    const counters: readonly Counter[] = [
      { key: this.digest(`all:${from}`), ...IN_ALL },
      { key: this.digest(`network:${network}`), ...PER_NETWORK },
      { key: this.accountKey(emailKey, from), ...PER_ACCOUNT },
    ];
    const counted = await this.failures.count(counters);
    if (counted.length < counters.length) {
      await this.failures.takeBack(counted);
      throw new AppError('RATE_LIMITED', {
        message: 'Too many failed attempts: try again later',
        headers: { 'Retry-After': String(await this.failures.waitingTime(counters.map(({ key }) => key))) },
      });
    }
    const takeBack = () => this.failures.takeBack(counted);
    const judge = async (matches: Promise<boolean>) => {
      try {
        return await matches;
      } catch (error) {
        // The request may be over its time, and its statements would be refused.
        await requestContext.leave(takeBack);
        throw error;
      }
    };
    return { takeBack, judge };
  }

  /** The owner has proven to be one by other means: within the unit of work, before their sessions end. */
  async forget(emailKey: string, userId: string): Promise<void> {
    const addresses = await this.sessions.findAddressesOfUser(userId);
    const from = [ANYWHERE, ...addresses.map(clientNetwork)];
    await this.failures.delete(from.map((network) => this.accountKey(emailKey, network)));
  }

  /** As `begin`, of an account that is known. */
  async beginOf({ id, emailKey }: { id: string; emailKey: string }, ip: string): Promise<Attempt> {
    return this.begin({ emailKey, addresses: await this.sessions.findAddressesOfUser(id) }, ip);
  }

  private accountKey(emailKey: string, from: string): Buffer {
    return this.digest(`account:${emailKey}:${from}`);
  }

  private digest(text: string): Buffer {
    return this.digests.of('sign-in-failures', [text]);
  }
}
