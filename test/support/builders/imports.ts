import { pbkdf2Sync, scryptSync } from 'node:crypto';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { argon2id, hash as argon2 } from 'argon2';
import { hash as bcrypt } from 'bcrypt';
import { type JobBody, jobEnded, type ResultBody, resultsOf } from './jobs.js';
import type { TestUser, TestApp } from '../app/test-app.js';
import { bearer } from '../http/send.js';

export const NDJSON = 'application/x-ndjson';
export const JSON_ARRAY = 'application/json';
export const CSV = 'text/csv';

export const ndjson = (...rows: readonly unknown[]): string =>
  rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n');

/** Returns rows of users at that domain. */
export const people = (count: number, domain: string) =>
  Array.from({ length: count }, (_, n) => ({ email: `p${n}@${domain}`, name: `Person ${n}` }));

/** Returns the number of users at that domain. */
export const countUsersAt = async (app: TestApp, domain: string): Promise<number> =>
  (await app.database.query('SELECT 1 FROM users WHERE email LIKE $1', [`%@${domain}`])).length;

/** Sends a file, by default as the administrator. */
export const sendFile = (
  app: TestApp,
  type: string,
  body: string | Buffer,
  by: TestUser = app.admin,
  query = '',
) => app.as(by, 'post', `/api/users/import${query}`).set('Content-Type', type).send(body);

/** An upload of NDJSON that has not ended. */
export interface OpenUpload {
  readonly request: ClientRequest;
  /** Settles with the response. A test that does not wait for it need not handle its rejection. */
  readonly answer: Promise<[IncomingMessage]>;
}

/** Starts an upload of NDJSON that never continues. */
export function beginUpload(
  url: string,
  by: TestUser,
  text: string,
  more: Readonly<Record<string, string>> = {},
): OpenUpload {
  const headers = { ...bearer(by), 'Content-Type': NDJSON, ...more };
  const request = httpRequest(`${url}/api/users/import`, { method: 'POST', headers });
  const answer = once(request, 'response') as Promise<[IncomingMessage]>;
  answer.catch(() => {});
  request.on('error', () => {}).write(`${text}\n`);
  return { request, answer };
}

/** Runs an import to completion. */
export async function imported(
  app: TestApp,
  type: string,
  body: string | Buffer,
  by: TestUser = app.admin,
  query = '',
): Promise<{ job: JobBody; results: ResultBody[] }> {
  const answer = await sendFile(app, type, body, by, query);
  if (answer.status !== 202) throw new Error(`the import answered ${answer.status}: ${answer.text}`);
  const { id } = answer.body as JobBody;
  const job = await jobEnded(app, id);
  return { job, results: await resultsOf(app, id) };
}

const base64 = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');

/** Returns the password as other systems hash it, keyed by format. */
export async function foreignHashes(password: string): Promise<Record<string, string>> {
  const salt = Buffer.from('sixteen bytes...');
  return {
    argon2: await argon2(password, { type: argon2id, memoryCost: 1024, timeCost: 1, parallelism: 1 }),
    bcrypt: await bcrypt(password, 4),
    bcrypt2y: (await bcrypt(password, 4)).replace('$2b$', '$2y$'),
    scrypt: `$scrypt$ln=4,r=8,p=1$${base64(salt)}$${base64(scryptSync(password, salt, 32, { N: 16, r: 8, p: 1 }))}`,
    pbkdf2: `$pbkdf2-sha256$i=1000$${base64(salt)}$${base64(pbkdf2Sync(password, salt, 1000, 32, 'sha256'))}`,
  };
}

/**
 * Creates a finished import with a rejected row that belongs to a user who need not be allowed to start one.
 * @returns its ID
 */
export async function endedImportOf(app: TestApp, owner: TestUser): Promise<string> {
  const { job } = await imported(app, NDJSON, ndjson({ email: 'not an address' }));
  await app.database.query('UPDATE jobs SET owner_id = $2 WHERE id = $1', [job.id, owner.id]);
  return job.id;
}
