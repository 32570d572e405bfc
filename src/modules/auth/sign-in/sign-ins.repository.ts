import { NIL_UUID } from '../../../common/ids.js';
import { Injectable } from '@nestjs/common';
import { prepared } from '../../../platform/database/driver/statements/prepared.js';
import { SqlRunner } from '../../../platform/database/sql.runner.js';

/** The user that a sign-in claims to be. */
export interface ClaimedUser {
  readonly id: string;
  readonly email: string;
  readonly emailVerified: boolean;
  readonly roles: string[];
  readonly status: string;
  passwordHash: string | null;
  /** True for a password that works for one sign-in and for a short time. */
  readonly hasOneTimePassword: boolean;
  /** True once a one-time password was used or has expired. */
  readonly isPasswordExpired: boolean;
}

/** The user of a sign-in. `addresses` holds the IP addresses of the user's live sessions, at most 100. */
export interface SignInClaim {
  readonly user: ClaimedUser | null;
  readonly addresses: string[];
}

type Row = (ClaimedUser | { readonly id: null }) & { readonly addresses: string[] };

/** Queries sessions for an unknown address too, so that it is not answered faster. */
const FIND = prepared(
  `SELECT u.id, u.email, u.email_verified AS "emailVerified", u.roles, u.status, u.password_hash AS "passwordHash",
          u.password_expires_at IS NOT NULL AS "hasOneTimePassword",
          coalesce(u.password_expires_at <= clock_timestamp(), false) AS "isPasswordExpired",
          ARRAY(SELECT DISTINCT ip FROM sessions
                WHERE user_id = coalesce(u.id, '${NIL_UUID}') AND expires_at > clock_timestamp() LIMIT 100) AS addresses
   FROM (VALUES ($1::text)) AS asked (email_key) LEFT JOIN users u USING (email_key)`,
);

@Injectable()
export class SignInsRepository {
  constructor(private readonly sql: SqlRunner) {}

  /** Loads everything that a sign-in needs before it is counted, in one statement. `null` matches no user. */
  async find(emailKey: string | null): Promise<SignInClaim> {
    const row = await this.sql.one<Row>(FIND, [emailKey]);
    return { user: row.id === null ? null : row, addresses: row.addresses };
  }
}
