import { askAboutStreams } from './live-answers.js';
import { PASSWORD } from '../app/test-app.js';
import { NOBODY } from '../builders/users.js';
import type { Ask } from './ask.js';

/** Requests all events, the user's events, their streams, and the audit log. */
export async function askAboutHistory(ask: Ask, user: { key: string }, url: string): Promise<void> {
  await askAboutStreams(ask, url);
  await ask('GET /api/events', { query: '?limit=100' });
  await ask('GET /api/events', { query: '?after=1' });
  await ask('GET /api/users/{id}/events', user);
  await ask('GET /api/users/{id}/events', { key: NOBODY });
  await askAboutErasure(ask, user);
  const entries = await ask('GET /api/audit', { query: '?limit=100&total=estimate' });
  const [entry] = entries.body as [{ id: string }];
  await ask('GET /api/audit', { query: '?from=then' });
  await ask('GET /api/audit/{id}', { key: entry.id });
  await ask('GET /api/audit/{id}', { key: NOBODY });
  for (const what of ['users', 'audit']) await askForExports(ask, `GET /api/export/${what}`);
}

async function askForExports(ask: Ask, operation: string): Promise<void> {
  // supertest does not keep the text of NDJSON.
  for (const format of ['sse', 'csv']) await ask(operation, { query: `?format=${format}` });
  await ask(operation, { query: '?after=nothing' });
  await ask(operation, { headers: { Accept: 'image/png' } });
}

async function askAboutErasure(ask: Ask, user: { key: string }): Promise<void> {
  await ask('GET /api/users/{id}/data', user);
  await ask('GET /api/users/{id}/data', { key: NOBODY });
  const body = { email: 'erased@example.com', password: PASSWORD, name: 'Erased' };
  const { id: key } = (await ask('POST /api/users', { body })).body as { id: string };
  await ask('POST /api/users/{id}/erase', { key });
  await ask('DELETE /api/users/{id}', { key });
  await ask('POST /api/users/{id}/erase', { key });
  await ask('POST /api/users/{id}/erase', { key });
}
