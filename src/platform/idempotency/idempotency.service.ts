import { type RawBodyRequest, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { requestContext } from '../../common/context/request-context.js';
import { clientAddress } from '../../common/http/client-network.js';
import { AppError } from '../../common/errors/app.error.js';
import { UserEncryptionKeys } from '../crypto/user-encryption-keys.service.js';
import { KeyedDigestService } from '../crypto/keyed-digest.service.js';
import { Cipher } from '../crypto/cipher.service.js';
import { EventStore } from '../event-store/event-store.js';
import type { Answer } from '../http/answers/prepare-answer.js';
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
export class IdempotencyService {
  constructor(
    private readonly repository: IdempotencyRepository,
    private readonly digest: KeyedDigestService,
    private readonly cipher: Cipher,
    private readonly keys: UserEncryptionKeys,
    private readonly events: EventStore,
  ) {}

  /** Identifies a request. With `byKeyAlone`, its body does not matter. */
  identify(request: RawBodyRequest<Request>, key: string, byKeyAlone = false): KeyedRequest {
    const userId = requestContext.current()?.caller.principal?.userId;
    const caller = userId === undefined ? `address:${clientAddress(request.ip ?? '')}` : `account:${userId}`;
    // Normalised as the router does, so that every spelling is the same route.
    const path = request.path.toLowerCase().replace(/\/+$/, '');
    const [, query = ''] = /\?(.*)$/.exec(request.originalUrl) ?? [];
    // Without a query, the digest is the one that the release before stored.
    const keyed = query === '' ? [] : [query];
    return {
      scope: this.digest.digest('idempotency:scope', [caller, request.method, path, key]),
      content: this.digest.digest('idempotency:content', byKeyAlone ? keyed : [query, request.rawBody ?? '']),
    };
  }

  /**
   * Locks the scope until the unit of work ends. Must be the first thing that the unit of work does.
   * @returns the response to replay, or null when none exists
   * @throws AppError `CONFLICT` while another request holds the scope, `IDEMPOTENCY_MISMATCH`, `NOT_FOUND`
   * when the user it concerned is erased
   */
  async lockScope({ scope, content }: KeyedRequest): Promise<Answer | null> {
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
    const opener = record.subject === null ? this.cipher : await this.keys.decryptionCipher(record.subject);
    // The user it concerned is erased, and the stored response with them.
    if (!opener) throw new AppError('NOT_FOUND');
    return JSON.parse(opener.decrypt(record.answer, encryptionPurpose(scope)).toString()) as Answer;
  }

  /**
   * Stores the response for a locked scope, as the last step of the unit of work. Encrypts it under the key
   * of the changed user, so that no response outlives the user's erasure.
   */
  async saveAnswer({ scope, content }: KeyedRequest, answer: Answer): Promise<void> {
    const subject = await this.events.findSubjectOfTransaction();
    const key = subject === null ? null : await this.keys.encryptionCipher(subject);
    const encrypted = (key ?? this.cipher).encrypt(
      Buffer.from(JSON.stringify(answer)),
      encryptionPurpose(scope),
    );
    await this.repository.upsert(scope, { subject: key && subject, request: content, answer: encrypted });
  }
}

export const stillRunning = (): AppError =>
  new AppError('CONFLICT', {
    message: 'A request with this Idempotency-Key is still running',
    headers: { 'Retry-After': '1' },
  });

/** Returns the encryption purpose, which prevents moving a response to another scope. */
const encryptionPurpose = (scope: Buffer): string => `idempotency:${scope.toString('hex')}`;
