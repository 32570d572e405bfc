import { randomBytes } from 'node:crypto';
import { v7 } from 'uuid';
import type { TestUser, TestApp } from '../app/test-app.js';
import type { TestDatabase } from '../database/test-database.js';
import { NOBODY } from './users.js';
import type { Ask } from '../http/ask.js';

/** A resource as a client reads it. */
export interface ResourceBody {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly external_id: string | null;
  readonly owner_id: string;
  readonly version: number;
  readonly created_at: string;
  readonly updated_at: string;
}

/** Creates resources of the user and returns them in order of creation. */
export async function resourcesOf(app: TestApp, owner: TestUser, count: number): Promise<ResourceBody[]> {
  const made: ResourceBody[] = [];
  for (let n = 0; n < count; n++) {
    const answer = await app.as(owner, 'post', '/api/resources').send({ type: 'thing', name: `Thing ${n}` });
    if (answer.status !== 201) throw new Error(`making one answered ${answer.status}: ${answer.text}`);
    made.push(answer.body as ResourceBody);
  }
  return made;
}

/**
 * Inserts users that no test signs in to, without hashing a password.
 * @returns their IDs
 */
export async function receivers(database: TestDatabase, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => v7());
  const domain = `${randomBytes(6).toString('hex')}.example`;
  await database.query(
    `INSERT INTO users (id, email, email_key, name, name_key, search_key, roles)
     SELECT id, address, address, 'Receiver', 'receiver', address, ARRAY['user']
     FROM (SELECT id, 'r-' || id || '@' || $2 AS address FROM unnest($1::uuid[]) AS id) AS made`,
    [ids, domain],
  );
  return ids;
}

/** Returns the number of successful transfers of the resource in the audit log. */
export async function transfersOf(database: TestDatabase, resourceId: string): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    `SELECT count(*)::integer FROM audit_entries
     WHERE action = 'resource.transfer' AND target_id = $1 AND outcome = 'success'`,
    [resourceId],
  );
  return row?.count ?? 0;
}

/** Returns the users notified of transfers, in event order: the giver and the receiver of each. */
export async function told(database: TestDatabase, from = 0): Promise<string[]> {
  const rows = await database.query<{ subject: string }>(
    `SELECT subject FROM events WHERE type = 'ownership.transferred' ORDER BY epoch, xid, seq OFFSET $1`,
    [from],
  );
  return rows.map(({ subject }) => subject);
}

/** Requests every response about resources: the administrator creates them and transfers them to `to`. */
export async function askAboutResources(ask: Ask, to: { id: string; token: string }): Promise<void> {
  const make = async () =>
    (await ask('POST /api/resources', { body: { type: 'project', name: 'Engine', external_id: 'e-1' } }))
      .body as ResourceBody;
  const { id } = await make();
  await make();
  await ask('POST /api/resources', { body: { type: 'project' } });
  await ask('GET /api/resources', { query: '?limit=1&total=estimate' });
  await ask('GET /api/resources', { query: '?owner_id=1' });
  await ask('GET /api/resources', { query: `?owner_id=${NOBODY}`, token: to.token });
  const read = await ask('GET /api/resources/{id}', { key: id });
  await ask('GET /api/resources/{id}', { key: id, headers: { 'If-None-Match': read.get('etag') ?? '' } });
  await ask('GET /api/resources/{id}', { key: id, token: to.token });
  const transfer = { to_user_id: to.id, resource_ids: [id] };
  await ask('POST /api/resources/transfer', { body: { ...transfer, dry_run: true } });
  await ask('POST /api/resources/transfer', { body: transfer });
  await ask('POST /api/resources/transfer', { body: transfer });
  await ask('POST /api/resources/transfer', { body: { ...transfer, to_user_id: NOBODY } });
  await ask('POST /api/resources/transfer', {
    body: { ...transfer, from_user_id: NOBODY },
    token: to.token,
  });
  await ask('DELETE /api/resources/{id}', { key: id, headers: { 'If-Match': '"99"' } });
  await ask('DELETE /api/resources/{id}', { key: id });
  await ask('DELETE /api/resources/{id}', { key: id });
}
