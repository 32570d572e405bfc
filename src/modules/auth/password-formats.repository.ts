import { Injectable } from '@nestjs/common';
import type { FormatCount } from '../../platform/crypto/decoy-hashes.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';

/** Pages that are read, some thousands of users. A smaller table is read whole. */
const SAMPLE_PAGES = 300;

/**
 * Counts by everything in a hash but salt and digest. bcrypt has one field for both, so its cost is in the
 * first six characters, as `$2b$12`. Without regular expressions, which took most of the time. REPEATABLE
 * reads the same pages each time, on every instance.
 */
const COUNT = `
  SELECT CASE WHEN hash LIKE '$2%' THEN left(hash, 6)
              ELSE left(hash, greatest(length(hash) - length(salt) - length(digest) - 2, 0)) END AS prefix,
         length(rtrim(digest, '=')) AS "digestLength",
         count(*)::integer AS users
  FROM (SELECT password_hash AS hash, split_part(password_hash, '$', -2) AS salt,
               split_part(password_hash, '$', -1) AS digest
        FROM users TABLESAMPLE SYSTEM (least(100, 100.0 * $1 * current_setting('block_size')::integer
                                                   / greatest(pg_relation_size('users'), 1))) REPEATABLE (0)
        WHERE password_hash IS NOT NULL) AS sample
  GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1000`;

@Injectable()
export class PasswordFormatsRepository {
  constructor(private readonly unitOfWork: UnitOfWork) {}

  /** Counts the users of each format of password hash in a sample of bounded size. */
  count(): Promise<FormatCount[]> {
    return this.unitOfWork.manager.query(COUNT, [SAMPLE_PAGES]);
  }
}
