import { dataOf, signIn } from './client.js';
import {
  createUser,
  exportUsers,
  importUsers,
  listUsers,
  readJob,
  readMe,
  updateMe,
} from './gatehouse/index.js';
import { ADA, ADMIN, ROWS } from './people.js';

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

await signIn(ADMIN.email, ADMIN.password);
let job = dataOf(await importUsers({ body: ROWS, query: { on_conflict: 'skip' } }));
while (job.finished_at === null) job = dataOf(await readJob({ path: { id: job.id } }));

const page = await listUsers({ query: { limit: 2, sort: 'email', total: 'exact' } });
const emails = dataOf(page).map(({ email }) => email);
const total = page.response?.headers.get('X-Total-Count');

const exported: unknown[] = [];
const { stream } = await exportUsers({ query: { fields: 'email' }, sseMaxRetryAttempts: 3 });
const events: AsyncIterable<unknown> = stream;
for await (const event of events) {
  if (typeof event === 'object' && event !== null && 'email' in event) exported.push(event.email);
}

console.log(
  JSON.stringify({
    me: me.email,
    name: renamed.name,
    code,
    fields,
    refused,
    imported: job.done,
    emails,
    total,
    exported,
  }),
);
