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

/** A request with an Idempotency-Key, as digests. */
export interface KeyedRequest {
  /** Of caller, method, path and key. */
  readonly scope: Buffer;
  /** Of what was sent: query and body. */
  readonly content: Buffer;
}

/** The first answers to requests with an Idempotency-Key. */
@Injectable()
export class IdempotencyRecords {
  constructor(
    private readonly repository: IdempotencyRepository,
    private readonly digest: KeyedDigest,
    private readonly sealer: Sealer,
    private readonly keys: AccountKeys,
    private readonly events: EventStore,
  ) {}

  /** `byKeyAlone`: whatever is sent, it is the same request. */
  identify(request: RawBodyRequest<Request>, key: string, byKeyAlone = false): KeyedRequest {
    const userId = requestContext.current()?.caller.principal?.userId;
    const caller = userId === undefined ? `address:${clientAddress(request.ip ?? '')}` : `account:${userId}`;
    // As the router takes it: however it is spelled, it is the same route.
    const path = request.path.toLowerCase().replace(/\/+$/, '');
    const [, query = ''] = /\?(.*)$/.exec(request.originalUrl) ?? [];
    return {
      scope: this.digest.of('idempotency:scope', [caller, request.method, path, key]),
      content: this.digest.of('idempotency:content', byKeyAlone ? [] : [query, request.rawBody ?? '']),
    };
  }

  /**
   * Holds the scope until the unit of work ends; the first thing that it does.
   * @returns the answer to give again, null when there is none yet
   * @throws AppError `CONFLICT` while somebody else holds it, `IDEMPOTENCY_MISMATCH`, `NOT_FOUND` for what was erased
   */
  async claim({ scope, content }: KeyedRequest): Promise<Answer | null> {
    if (!(await this.repository.tryLock(scope))) throw stillRunning();
    return this.find({ scope, content });
  }

  /**
   * Returns the answer to give again, null when there is none yet.
   * @throws AppError `IDEMPOTENCY_MISMATCH`, `NOT_FOUND` for what was erased
   */
  async find({ scope, content }: KeyedRequest): Promise<Answer | null> {
    const record = await this.repository.find(scope);
    if (!record) return null;
    if (!record.request.equals(content)) throw new AppError('IDEMPOTENCY_MISMATCH');
    const opener = record.subject === null ? this.sealer : await this.keys.openerOf(record.subject);
    // Whom it was about is erased, and with them what was answered.
    if (!opener) throw new AppError('NOT_FOUND');
    return JSON.parse(opener.open(record.answer, purpose(scope)).toString()) as Answer;
  }

  /**
   * Of a scope that is held; the last thing that the unit of work does. Sealed under the key of the
   * account that was changed: no answer outlives its erasure.
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

/** No answer can be moved to another scope. */
const purpose = (scope: Buffer): string => `idempotency:${scope.toString('hex')}`;
