import { Injectable } from '@nestjs/common';
import { prepared } from '../../platform/database/prepared.js';
import { SqlRunner } from '../../platform/database/sql.runner.js';

/** The user that a sign-in claims to be. */
export interface ClaimedAccount {
  readonly id: string;
  readonly email: string;
  readonly roles: string[];
  readonly status: string;
  passwordHash: string | null;
}

/** The user of a sign-in. `addresses` holds the IP addresses of the user's live sessions, at most 100. */
export interface Claim {
  readonly account: ClaimedAccount | null;
  readonly addresses: string[];
}

type Row = (ClaimedAccount | { readonly id: null }) & { readonly addresses: string[] };

/** The nil UUID (RFC 9562, 5.9), which no user has. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

/** Queries sessions for an unknown address too, so that it is not answered faster. */
const FIND = prepared(
  `SELECT u.id, u.email, u.roles, u.status, u.password_hash AS "passwordHash",
          ARRAY(SELECT DISTINCT ip FROM sessions
                WHERE user_id = coalesce(u.id, '${NOBODY}') AND expires_at > clock_timestamp() LIMIT 100) AS addresses
   FROM (VALUES ($1::text)) AS asked (email_key) LEFT JOIN users u USING (email_key)`,
);

@Injectable()
export class SignInsRepository {
  constructor(private readonly sql: SqlRunner) {}

  /** Loads everything that a sign-in needs before it is counted, in one statement. `null` matches no user. */
  async find(emailKey: string | null): Promise<Claim> {
    const row = await this.sql.one<Row>(FIND, [emailKey]);
    return { account: row.id === null ? null : row, addresses: row.addresses };
  }
}
