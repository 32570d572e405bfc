import { dataOf, signIn } from './client.js';
import { exportedUsers } from './export.js';
import { createUser, importUsers, listUsers, readJob, readMe, updateMe } from './gatehouse/index.js';
import { nextCursor } from './pages.js';
import { ACCESS_TOKEN_MS, ADA, ADMIN, ROWS } from './people.js';

async function emailsOfExport(): Promise<unknown[]> {
  const emails: unknown[] = [];
  for await (const user of exportedUsers({ fields: 'email' }))
    if (typeof user === 'object' && user !== null && 'email' in user) emails.push(user.email);
  return emails;
}

dataOf(await createUser({ body: { ...ADA, name: 'Ada' } }));
await signIn(ADA.email, ADA.password);
const me = dataOf(await readMe());
const renamed = dataOf(await updateMe({ body: { name: 'Ada Lovelace' } }));

const unchanged = await readMe({ headers: { 'If-None-Match': '*' } })
  .then((answer) => dataOf(answer))
  .catch(String);

// The access token expires. Two requests at once, and one with a body.
await new Promise((resolve) => setTimeout(resolve, ACCESS_TOKEN_MS + 500));
const again = await Promise.all([readMe(), updateMe({ body: { name: 'Ada Lovelace' } })]);
const renewed = again.map((answer) => dataOf(answer).email);

const taken = await createUser({ body: { ...ADA, name: 'Ada' } });
const code = taken.error?.error.code;
const invalid = await createUser({ body: { ...ADA, name: 'Ada', email: 'no address' } });
const fields = invalid.error?.error.details?.map(({ field }) => field);
const refused = await listUsers()
  .then((answer) => dataOf(answer))
  .catch(String);

const refusedExport = await emailsOfExport().catch(String);

await signIn(ADMIN.email, ADMIN.password);
let job = dataOf(await importUsers({ body: ROWS, query: { on_conflict: 'skip' } }));
while (job.finished_at === null) job = dataOf(await readJob({ path: { id: job.id } }));

const emails: string[] = [];
let total: string | null | undefined;
let cursor: string | undefined;
do {
  const page = await listUsers({ query: { limit: 2, sort: 'email', total: 'exact', cursor } });
  emails.push(...dataOf(page).map(({ email }) => email));
  total = page.response?.headers.get('X-Total-Count');
  cursor = nextCursor(page.response);
} while (cursor !== undefined);

const exported = await emailsOfExport();

console.log(
  JSON.stringify({
    me: me.email,
    name: renamed.name,
    code,
    fields,
    refused,
    refusedExport,
    unchanged,
    renewed,
    imported: job.done,
    emails,
    total,
    exported,
  }),
);
