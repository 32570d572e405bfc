import { until } from '../app/until.js';
import { NOBODY } from '../builders/users.js';
import type { Ask } from './ask.js';

/** Requests every response about jobs, for a job with one successful and one failed row. */
export async function askAboutJobs(ask: Ask, some: { id: string; token: string }): Promise<void> {
  const body = { action: 'enable', user_ids: [some.id, NOBODY] };
  const { id: key } = (await ask('POST /api/users/batch', { body })).body as { id: string };
  await ask('POST /api/users/batch', { body: { ...body, role: 'premium' } });
  await ask('POST /api/users/batch', { body, token: some.token });
  const ended = (job: string) => async () => {
    const { body: read } = await ask('GET /api/jobs/{id}', { key: job });
    return (read as { finished_at: string | null }).finished_at !== null;
  };
  await until(ended(key));
  const file = { headers: { 'content-type': 'text/csv' } };
  const rows = 'email,name\nfrom-a-file@example.com,Ada\nno address,Bob\n';
  const { id: imported } = (await ask('POST /api/users/import', { ...file, body: rows })).body as {
    id: string;
  };
  await ask('POST /api/users/import', { ...file, body: 'wrong' });
  await ask('POST /api/users/import', { body: {} });
  await until(ended(imported));
  await ask('GET /api/jobs/{id}/rejected', { key: imported });
  await ask('GET /api/jobs/{id}/results', { key: imported });
  await ask('GET /api/jobs/{id}/rejected', { key });
  await ask('GET /api/jobs/{id}', { key, token: some.token });
  await ask('GET /api/jobs', { query: '?limit=1&total=exact' });
  await ask('GET /api/jobs', { query: '?limit=0' });
  await ask('GET /api/jobs/{id}/results', { key, query: '?total=exact' });
  await ask('GET /api/jobs/{id}/results', { key: NOBODY });
  await ask('GET /api/jobs/{id}/stream', { key });
  await ask('GET /api/jobs/{id}/stream', { key: NOBODY });
  await ask('DELETE /api/jobs/{id}', { key });
  await ask('DELETE /api/jobs/{id}', { key: NOBODY });
}
