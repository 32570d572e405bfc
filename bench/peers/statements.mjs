// The statements of three writes, sent one after another by a bare pg connection: what a hand-written service would
// send that keeps the same rows.
//
// They were recorded from the service (`log_statement = 'all'`) when each was still a round trip of its own, and are
// kept as they were, so that the yardstick stays when the service needs fewer of them. Named, as a careful developer
// would, and with bytes of the recorded lengths where the service encrypts.

import { randomBytes } from 'node:crypto';
import { v7 as uuid } from 'uuid';

const BEGIN = 'START TRANSACTION; SET LOCAL lock_timeout = 3000';
const COMMIT = 'COMMIT';
const SESSION_SECONDS = 2_592_000;
const SESSION_MAX_SECONDS = 7_776_000;
const KEEP_SPENT_SECONDS = 70;
const MAX_OTHER_SESSIONS = 99;

const USER_COLUMNS = `id, email, email_key, name, name_key, roles, email_verified, disabled, deleted_at, status, version,
  last_login_at, created_at, updated_at`;

const named = Object.fromEntries(
  Object.entries({
    lockSession: `SELECT id, user_id, device, ip, created_at, last_seen_at, expires_at, ends_at FROM sessions
      WHERE id = $1 AND expires_at > clock_timestamp() FOR UPDATE`,
    lockToken: `SELECT successor, extract(epoch FROM clock_timestamp() - spent_at)::float AS "secondsSinceSpent"
      FROM refresh_tokens WHERE jti = $1 AND session_id = $2 FOR UPDATE`,
    extendSession: `UPDATE sessions
      SET expires_at = least(ends_at, clock_timestamp() + make_interval(secs => $2::integer)),
          last_seen_at = date_trunc('minute', clock_timestamp())
      WHERE id = $1`,
    insertToken: `INSERT INTO refresh_tokens (jti, session_id, issued_at, expires_at)
      SELECT $1, id, date_trunc('second', clock_timestamp()), date_trunc('second', expires_at) FROM sessions WHERE id = $2
      RETURNING jti, extract(epoch FROM issued_at)::integer AS iat, extract(epoch FROM expires_at)::integer AS exp`,
    spendToken: `WITH forgotten AS (
        DELETE FROM refresh_tokens WHERE session_id = (SELECT session_id FROM refresh_tokens WHERE jti = $1)
          AND spent_at < clock_timestamp() - make_interval(secs => $3))
      UPDATE refresh_tokens SET spent_at = clock_timestamp(), successor = $2 WHERE jti = $1`,
    audit: `INSERT INTO audit_entries (id, occurred_at, actor_type, actor_id, session_id, action, target_type, target_id,
        outcome, request_id, trace_id, origin_key, origin_sealed, changes_key, changes_sealed)
      VALUES ($1, clock_timestamp(), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
    event: `INSERT INTO events (epoch, id, type, stream, stream_version, subject, occurred_at, data_sealed)
      SELECT (SELECT current_epoch()), id, type, stream, version, subject, coalesce(occurred_at, clock_timestamp()), sealed
      FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::integer[], $5::uuid[], $6::timestamptz[], $7::bytea[])
        WITH ORDINALITY AS event (id, type, stream, version, subject, occurred_at, sealed, place)
      ORDER BY place`,
    readUser: `SELECT ${USER_COLUMNS} FROM users WHERE id = $1 AND erased_at IS NULL LIMIT 1`,
    lockUser: `SELECT ${USER_COLUMNS} FROM users WHERE id = $1 AND erased_at IS NULL LIMIT 1 FOR UPDATE`,
    renameUser: `UPDATE users SET name = $1, name_key = $2, search_key = $3, disabled = $4, version = $5,
        updated_at = clock_timestamp()
      WHERE id = $6 RETURNING ${USER_COLUMNS}`,
    findByEmail: `SELECT u.id, u.email, u.roles, u.status, u.password_hash AS "passwordHash",
        ARRAY(SELECT DISTINCT ip FROM sessions
              WHERE user_id = coalesce(u.id, '00000000-0000-0000-0000-000000000000') AND expires_at > clock_timestamp() LIMIT 100) AS addresses
      FROM (VALUES ($1::text)) AS asked (email_key) LEFT JOIN users u USING (email_key)`,
    startSession: `WITH account AS (
        SELECT id, clock_timestamp() AS at FROM users
        WHERE id = $2 AND status = 'active' AND password_hash IS NOT DISTINCT FROM $3 FOR SHARE),
      ended AS (
        DELETE FROM sessions WHERE id IN (
          SELECT id FROM sessions WHERE id IN (
            SELECT sessions.id FROM sessions JOIN account ON user_id = account.id WHERE expires_at > clock_timestamp()
            ORDER BY last_seen_at DESC, sessions.id DESC OFFSET $9::integer)
          FOR UPDATE SKIP LOCKED)
        RETURNING id),
      session AS (
        INSERT INTO sessions (id, user_id, device, ip, created_at, last_seen_at, expires_at, ends_at)
        SELECT $1, id, $4, $5, at, date_trunc('minute', at),
               at + make_interval(secs => least($6::integer, $7::integer)), at + make_interval(secs => $7::integer)
        FROM account RETURNING id, created_at, expires_at),
      token AS (
        INSERT INTO refresh_tokens (jti, session_id, issued_at, expires_at)
        SELECT $8, id, date_trunc('second', created_at), date_trunc('second', expires_at) FROM session
        RETURNING jti, extract(epoch FROM issued_at)::integer AS iat, extract(epoch FROM expires_at)::integer AS exp)
      SELECT jti, iat, exp, created_at AS at, ARRAY(SELECT id FROM ended) AS ended FROM token, session`,
  }).map(([name, text]) => [name, { name, text }]),
);

/** Sends the statements on one connection. */
export class BareLane {
  #version = 1;
  /** @type {string} */
  #session;
  /** @type {string} */
  #token;

  /**
   * @param {import('pg').Client} client
   * @param {{ id: string, email: string, passwordHash: string }} account of this lane alone
   */
  constructor(client, account) {
    this.client = client;
    this.account = account;
  }

  /** Starts the session that {@link refresh} renews. 5 statements; the counting of attempts is not among them. */
  async signIn() {
    const { id, email, passwordHash } = this.account;
    [this.#session, this.#token] = [uuid(), uuid()];
    await this.#query('findByEmail', [email]);
    await this.client.query(BEGIN);
    const lifetimes = [SESSION_SECONDS, SESSION_MAX_SECONDS];
    const values = [
      this.#session,
      id,
      passwordHash,
      '',
      '127.0.0.1',
      ...lifetimes,
      this.#token,
      MAX_OTHER_SESSIONS,
    ];
    await this.#query('startSession', values);
    await this.#event('session.started', this.#session, 1, 109);
    await this.#audit('auth.login', null);
    await this.client.query(COMMIT);
  }

  /** Exchanges the token of the session. 9 statements. */
  async refresh() {
    const successor = uuid();
    await this.client.query(BEGIN);
    await this.#query('lockSession', [this.#session]);
    await this.#query('lockToken', [this.#token, this.#session]);
    await this.#query('extendSession', [this.#session, SESSION_SECONDS]);
    await this.#query('insertToken', [successor, this.#session]);
    await this.#query('spendToken', [this.#token, successor, KEEP_SPENT_SECONDS]);
    await this.#audit('auth.refresh', null);
    await this.client.query(COMMIT);
    await this.#query('readUser', [this.account.id]);
    this.#token = successor;
  }

  /** Renames the account, with its event and its audit entry. 6 statements. */
  async rename() {
    const { id, email } = this.account;
    this.#version += 1;
    const name = `Name ${this.#version}`;
    const key = name.toLowerCase();
    await this.client.query(BEGIN);
    await this.#query('lockUser', [id]);
    await this.#query('renameUser', [name, key, `${key}\n${email}`, false, this.#version, id]);
    await this.#event('user.updated', id, this.#version, 44);
    await this.#audit('user.update', id);
    await this.client.query(COMMIT);
  }

  #event(type, stream, version, length) {
    const { id } = this.account;
    return this.#query('event', [
      [uuid()],
      [type],
      [stream],
      [version],
      [id],
      [new Date()],
      [randomBytes(length)],
    ]);
  }

  #audit(action, changed) {
    const { id } = this.account;
    const changes = [changed, changed === null ? null : randomBytes(68)];
    const who = ['user', id, this.#session, action, 'user', id, 'success', uuid(), null];
    return this.#query('audit', [uuid(), ...who, id, randomBytes(61), ...changes]);
  }

  #query(name, values) {
    return this.client.query({ ...named[name], values });
  }
}
