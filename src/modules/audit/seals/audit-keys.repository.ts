import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';

/** "akey" in ASCII: the key of the advisory lock under which the first key is made. */
const KEYS_LOCK = 0x616b6579;
/** A bound: keys are made by hand, and rarely. */
const MAX_KEYS = 1000;

export interface AuditKeyRow {
  readonly kid: string;
  /** Raw, 32 bytes. */
  readonly public_key: Buffer;
  /** PKCS #8, sealed by the master key. */
  readonly private_key_sealed: Buffer;
}

@Injectable()
export class AuditKeysRepository {
  constructor(private readonly unitOfWork: UnitOfWork) {}

  /** Until the unit of work ends. The service may not lock the table: it has no right to change a row of it. */
  async lock(): Promise<void> {
    await this.unitOfWork.manager.query('SELECT pg_advisory_xact_lock($1)', [KEYS_LOCK]);
  }

  /** All there ever were, the newest first. */
  findAll(): Promise<AuditKeyRow[]> {
    return this.unitOfWork.manager.query(
      `SELECT kid, public_key, private_key_sealed FROM audit_keys ORDER BY created_at DESC, kid LIMIT ${MAX_KEYS}`,
    );
  }

  async insert(key: AuditKeyRow): Promise<void> {
    await this.unitOfWork.manager.query(
      'INSERT INTO audit_keys (kid, public_key, private_key_sealed) VALUES ($1, $2, $3)',
      [key.kid, key.public_key, key.private_key_sealed],
    );
  }
}
