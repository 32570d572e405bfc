import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { SigningKey } from './signing-key.entity.js';

export type NewSigningKey = Pick<SigningKey, 'kid' | 'privateKeySealed'>;

@Injectable()
export class SigningKeysRepository {
  constructor(private readonly unitOfWork: UnitOfWork) {}

  /** Those that still verify, the newest first; `signs` is the one that signs now, by the database's clock. */
  async findLive(): Promise<{ keys: SigningKey[]; signs: string | null }> {
    const keys = await this.keys
      .createQueryBuilder('key')
      .where('key.verifiesUntil IS NULL OR key.verifiesUntil > clock_timestamp()')
      .orderBy('key.createdAt', 'DESC')
      .addOrderBy('key.kid')
      .getMany();
    const rows: { kid: string }[] = await this.keys.query(
      `SELECT kid FROM signing_keys WHERE signs_from IS NULL OR signs_from <= clock_timestamp()
       ORDER BY created_at DESC, kid LIMIT 1`,
    );
    return { keys, signs: rows[0]?.kid ?? null };
  }

  /** Instances that start or rotate at once make one key between them: the table is locked until the commit. */
  async lock(): Promise<void> {
    await this.keys.query('LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE');
  }

  /** Whether the newest key is as old as that, in seconds; also when there is none. */
  async isDue(maxAgeSeconds: number): Promise<boolean> {
    const rows: [{ due: boolean }] = await this.keys.query(
      `SELECT coalesce(max(created_at) < clock_timestamp() - make_interval(secs => $1::integer), true) AS due
       FROM signing_keys`,
      [maxAgeSeconds],
    );
    return rows[0].due;
  }

  /** It signs after `aheadSeconds`; the first one at once. */
  async insert(key: NewSigningKey, aheadSeconds: number): Promise<void> {
    await this.keys.query(
      `INSERT INTO signing_keys (kid, private_key_sealed, created_at, signs_from)
       SELECT $1, $2, at, CASE WHEN EXISTS (SELECT 1 FROM signing_keys)
                                   THEN at + make_interval(secs => $3::integer) END
       FROM clock_timestamp() AS at`,
      [key.kid, key.privateKeySealed, aheadSeconds],
    );
  }

  /** The keys before `kid` verify until the tokens they sign until then are dead. */
  async retireOthers(kid: string, longestTokenSeconds: number): Promise<void> {
    await this.keys.query(
      `UPDATE signing_keys SET verifies_until = successor.signs_from + make_interval(secs => $2::integer)
       FROM signing_keys AS successor
       WHERE successor.kid = $1 AND signing_keys.kid <> $1
         AND signing_keys.verifies_until IS NULL AND successor.signs_from IS NOT NULL`,
      [kid, longestTokenSeconds],
    );
  }

  private get keys() {
    return this.unitOfWork.manager.getRepository(SigningKey);
  }
}
