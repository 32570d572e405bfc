import { dataOf, signIn } from './client.js';
import { createUser, exportUsers, importUsers, listUsers, readJob, readMe, updateMe } from './gatehouse.js';
import { nextCursor } from './pages.js';
import { ACCESS_TOKEN_MS, ADA, ADMIN, ROWS } from './people.js';

dataOf(await createUser({ ...ADA, name: 'Ada' }), 201);
await signIn(ADA.email, ADA.password);
const me = dataOf(await readMe(), 200);
const renamed = dataOf(await updateMe({ name: 'Ada Lovelace' }), 200);

const unchanged = await readMe({ headers: { 'If-None-Match': '*' } })
  .then((answer) => dataOf(answer, 200))
  .catch(String);

// The access token expires. Two requests at once, and one with a body.
await new Promise((resolve) => setTimeout(resolve, ACCESS_TOKEN_MS + 500));
const again = await Promise.all([readMe(), updateMe({ name: 'Ada Lovelace' })]);
const renewed = again.map((answer) => dataOf(answer, 200).email);

const taken = await createUser({ ...ADA, name: 'Ada' });
const code = taken.status === 409 ? taken.data.error.code : null;
const invalid = await createUser({ ...ADA, name: 'Ada', email: 'no address' });
const fields = invalid.status === 400 ? invalid.data.error.details?.map(({ field }) => field) : null;
const refused = await listUsers()
  .then((answer) => dataOf(answer, 200))
  .catch(String);

const refusedFile = await exportUsers();
const refusedExport = refusedFile.status === 403 ? refusedFile.data.error.code : null;

await signIn(ADMIN.email, ADMIN.password);
let job = dataOf(await importUsers(ROWS, { on_conflict: 'skip' }), 202);
while (job.finished_at === null) job = dataOf(await readJob(job.id), 200);

const emails: string[] = [];
let total: string | null;
let cursor: string | undefined;
do {
  const page = await listUsers({ limit: 2, sort: 'email', total: 'exact', cursor });
  emails.push(...dataOf(page, 200).map(({ email }) => email));
  total = page.headers.get('X-Total-Count');
  cursor = nextCursor(page);
} while (cursor !== undefined);

const file = await exportUsers({ format: 'ndjson', fields: 'email' });
const lines = file.status === 200 && 'data' in file ? file.data.trimEnd().split('\n') : [];
const exported = lines
  .map((line): unknown => JSON.parse(line))
  .flatMap((row) => (typeof row === 'object' && row !== null && 'email' in row ? [row.email] : []));

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
