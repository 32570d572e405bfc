import { dataOf, signIn } from './client.js';
import { exportedUsers } from './export.js';
import { createUser, importUsers, listUsers, readJob, readMe, updateMe } from './gatehouse/index.js';
import { ADA, ADMIN, ROWS } from './people.js';

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

const page = await listUsers({ query: { limit: 2, sort: 'email', total: 'exact' } });
const emails = dataOf(page).map(({ email }) => email);
const total = page.response?.headers.get('X-Total-Count');

const exported = await emailsOfExport();

console.log(
  JSON.stringify({
    me: me.email,
    name: renamed.name,
    code,
    fields,
    refused,
    refusedExport,
    imported: job.done,
    emails,
    total,
    exported,
  }),
);
