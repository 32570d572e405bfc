import { Injectable } from '@nestjs/common';
import { SqlRunner } from '../../../platform/database/sql.runner.js';

/** "akey" in ASCII, the key of the advisory lock under which the first key is created. */
const KEYS_LOCK = 0x616b6579;
/** The maximum number of keys. Keys are created rarely and by hand. */
const MAX_KEYS = 1000;

export interface AuditKeyRow {
  readonly kid: string;
  /** The raw public key, 32 bytes. */
  readonly public_key: Buffer;
  /** The private key as PKCS #8, encrypted with the master key. */
  readonly private_key_sealed: Buffer;
}

@Injectable()
export class AuditKeysRepository {
  constructor(private readonly sql: SqlRunner) {}

  /**
   * Takes the advisory lock until the transaction ends. The service role cannot lock the table itself because
   * it has no right to update it.
   */
  async lock(): Promise<void> {
    await this.sql.execute('SELECT pg_advisory_xact_lock($1)', [KEYS_LOCK]);
  }

  /** Returns all keys ever created, newest first. */
  findAll(): Promise<AuditKeyRow[]> {
    return this.sql.rows(
      `SELECT kid, public_key, private_key_sealed FROM audit_keys ORDER BY created_at DESC, kid LIMIT ${MAX_KEYS}`,
    );
  }

  async insert(key: AuditKeyRow): Promise<void> {
    await this.sql.execute(
      'INSERT INTO audit_keys (kid, public_key, private_key_sealed) VALUES ($1, $2, $3)',
      [key.kid, key.public_key, key.private_key_sealed],
    );
  }
}
