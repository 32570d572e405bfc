import { Injectable } from '@nestjs/common';
import type { FormatCount } from '../../../platform/crypto/passwords/decoy-hashes.service.js';
import { SqlRunner } from '../../../platform/database/sql.runner.js';

/** The number of pages to sample, which hold several thousand users. A smaller table is read completely. */
const SAMPLE_PAGES = 300;

/**
 * Counts users by every part of the hash except salt and digest. Most formats end with these two. bcrypt and
 * phpass write both in one field, Django's scrypt has the salt in the middle, and formats without a dollar
 * sign encode all bytes at once: ASP.NET Identity v3 after its parameters, v2 after a marker, and Spring
 * Security after a name in braces. The query avoids regular expressions because they took most of its time.
 * REPEATABLE reads the same pages every time, on every instance.
 */
const COUNT = `
  SELECT CASE WHEN right(hash, 60) LIKE '$2_$__$%' THEN left(hash, -54)
              WHEN hash LIKE '$P$%' OR hash LIKE '$H$%' THEN left(hash, 4)
              WHEN hash LIKE 'scrypt$%' THEN concat_ws('$', 'scrypt', split_part(hash, '$', 2),
                                                       split_part(hash, '$', 4), split_part(hash, '$', 5))
              WHEN digest <> hash THEN left(hash, greatest(length(hash) - length(salt) - length(digest) - 2, 0))
              WHEN hash LIKE '{%' THEN left(hash, strpos(hash, '}'))
              ELSE left(hash, CASE WHEN hash LIKE 'AQAAAA%' THEN 17 ELSE 1 END) END AS prefix,
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
  constructor(private readonly sql: SqlRunner) {}

  /** Counts the users of each password hash format in a sample of bounded size. */
  count(): Promise<FormatCount[]> {
    return this.sql.rows(COUNT, [SAMPLE_PAGES]);
  }
}
