import type { RawBodyRequest } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { requestContext } from '../../common/context/request-context.js';
import { clientAddress } from '../../common/http/client-network.js';
import { AppError } from '../../common/errors/app-error.js';
import { AccountKeys } from '../crypto/account-keys.js';
import { KeyedDigest } from '../crypto/keyed-digest.js';
import { Sealer } from '../crypto/sealer.js';
import { EventStore } from '../event-store/event-store.js';
import type { Answer } from '../http/answer.js';
import { IdempotencyRepository } from './idempotency.repository.js';

/** Digests of a request with an Idempotency-Key. */
export interface KeyedRequest {
  /** The digest of caller, method, path and key. */
  readonly scope: Buffer;
  /** The digest of query and body. */
  readonly content: Buffer;
}

/** Stores the first response to each request with an Idempotency-Key. */
@Injectable()
export class IdempotencyRecords {
  constructor(
    private readonly repository: IdempotencyRepository,
    private readonly digest: KeyedDigest,
    private readonly sealer: Sealer,
    private readonly keys: AccountKeys,
    private readonly events: EventStore,
  ) {}

  /** Identifies a request. With `byKeyAlone`, its query and body do not matter. */
  identify(request: RawBodyRequest<Request>, key: string, byKeyAlone = false): KeyedRequest {
    const userId = requestContext.current()?.caller.principal?.userId;
    const caller = userId === undefined ? `address:${clientAddress(request.ip ?? '')}` : `account:${userId}`;
    // Normalised as the router does, so that every spelling is the same route.
    const path = request.path.toLowerCase().replace(/\/+$/, '');
    const [, query = ''] = /\?(.*)$/.exec(request.originalUrl) ?? [];
    return {
      scope: this.digest.of('idempotency:scope', [caller, request.method, path, key]),
      content: this.digest.of('idempotency:content', byKeyAlone ? [] : [query, request.rawBody ?? '']),
    };
  }

  /**
   * Locks the scope until the unit of work ends. Must be the first thing that the unit of work does.
   * @returns the response to replay, or null when none exists
   * @throws AppError `CONFLICT` while another request holds the scope, `IDEMPOTENCY_MISMATCH`, `NOT_FOUND`
   * when the user it concerned is erased
   */
  async claim({ scope, content }: KeyedRequest): Promise<Answer | null> {
    if (!(await this.repository.tryLock(scope))) throw stillRunning();
    return this.find({ scope, content });
  }

  /**
   * Returns the response to replay, or null when none exists.
   * @throws AppError `IDEMPOTENCY_MISMATCH`, `NOT_FOUND` when the user it concerned is erased
   */
  async find({ scope, content }: KeyedRequest): Promise<Answer | null> {
    const record = await this.repository.find(scope);
    if (!record) return null;
    if (!record.request.equals(content)) throw new AppError('IDEMPOTENCY_MISMATCH');
    const opener = record.subject === null ? this.sealer : await this.keys.openerOf(record.subject);
    // The user it concerned is erased, and the stored response with them.
    if (!opener) throw new AppError('NOT_FOUND');
    return JSON.parse(opener.open(record.answer, purpose(scope)).toString()) as Answer;
  }

  /**
   * Stores the response for a locked scope, as the last step of the unit of work. Encrypts it under the key
   * of the changed user, so that no response outlives the user's erasure.
   */
  async keep({ scope, content }: KeyedRequest, answer: Answer): Promise<void> {
    const subject = await this.events.findSubjectOfTransaction();
    const key = subject === null ? null : await this.keys.sealerOf(subject);
    const sealed = (key ?? this.sealer).seal(Buffer.from(JSON.stringify(answer)), purpose(scope));
    await this.repository.put(scope, { subject: key && subject, request: content, answer: sealed });
  }
}

export const stillRunning = (): AppError =>
  new AppError('CONFLICT', {
    message: 'A request with this Idempotency-Key is still running',
    headers: { 'Retry-After': '1' },
  });

/** Returns the encryption purpose, which prevents moving a response to another scope. */
const purpose = (scope: Buffer): string => `idempotency:${scope.toString('hex')}`;
