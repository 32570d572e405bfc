import type { Response } from 'supertest';
import type { Permission } from '../../../src/common/authorization/permissions.js';
import { type TestUser, PASSWORD, type TestApp } from '../app/test-app.js';

/** A user as a client reads it. */
export interface UserBody {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly locale: string;
  readonly status: 'active' | 'disabled' | 'deleted';
  readonly roles: string[];
  readonly email_verified: boolean;
  readonly version: number;
  readonly last_login_at: string | null;
  readonly created_at: string;
  readonly updated_at: string;
}

/** A well-formed ID that no user has. */
export const NOBODY = '01890a5d-ac96-774b-bcce-b302099a8057';

let roles = 0;

/** Creates a user with exactly these permissions, through a new role. */
export async function createUserWith(app: TestApp, permissions: readonly Permission[]): Promise<TestUser> {
  const role = `holder-${++roles}`;
  const made = await app.as(app.admin, 'put', `/api/roles/${role}`).send({ permissions });
  if (made.status !== 200) throw new Error(`making a role answered ${made.status}: ${made.text}`);
  return app.createUser(['user', role]);
}

/** Returns the user as an administrator sees it. */
export async function read(app: TestApp, id: string): Promise<UserBody> {
  const answer = await app.as(app.admin, 'get', `/api/users/${id}`);
  if (answer.status !== 200) throw new Error(`reading answered ${answer.status}: ${answer.text}`);
  return answer.body as UserBody;
}

/** Returns the path and query of the next page; null on the last page. */
export function nextPage(answer: Response): string | null {
  const link = answer.get('Link');
  if (link === undefined) return null;
  const next = /^<(\/[^>]+)>; rel="next"$/.exec(link)?.[1];
  if (next === undefined) throw new Error(`not a link to a next page: ${link}`);
  return next;
}

/** Follows `Link` from that page to the last and returns all rows. */
export async function walk(
  app: TestApp,
  path: string,
  betweenPages: (page: number) => Promise<unknown> = async () => {},
): Promise<UserBody[]> {
  const rows: UserBody[] = [];
  for (let next: string | null = path, page = 1; next !== null; page++) {
    const answer: Response = await app.as(app.admin, 'get', next);
    if (answer.status !== 200) throw new Error(`page ${page} answered ${answer.status}: ${answer.text}`);
    const body = answer.body as UserBody[];
    if (body.length === 0) throw new Error(`page ${page} was promised and is empty`);
    rows.push(...body);
    next = nextPage(answer);
    if (next !== null) await betweenPages(page);
  }
  return rows;
}

/** Returns the bytes of an error without the request ID. */
export function withoutRequestId(answer: Response): string {
  const { error } = answer.body as { error: { request_id: string } };
  return answer.text.replace(error.request_id, '');
}

export const SORTS = ['created_at', '-created_at', 'email', '-email', 'name', '-name'] as const;

export async function signUp(app: TestApp, name: string, email: string): Promise<UserBody> {
  const answer = await app.request('post', '/api/users').send({ name, email, password: PASSWORD });
  if (answer.status !== 201) throw new Error(`sign-up answered ${answer.status}: ${answer.text}`);
  return answer.body as UserBody;
}

/** Small, because on a busy machine an app with one connection refuses more as overload. */
const SIGN_UPS_AT_ONCE = 5;

export async function signUpMany(
  app: TestApp,
  count: number,
  name: (i: number) => string,
  domain: string,
): Promise<UserBody[]> {
  const users: UserBody[] = [];
  while (users.length < count) {
    const first = users.length;
    const group = Array.from({ length: Math.min(SIGN_UPS_AT_ONCE, count - first) }, (_, i) =>
      signUp(app, name(first + i), `row-${first + i}@${domain}`),
    );
    users.push(...(await Promise.all(group)));
  }
  return users;
}
