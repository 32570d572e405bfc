import type { Ask } from './ask.js';

/** Asks about the installation, also with requests that are refused. `token` is of a user without permissions. */
export async function askAboutOperations(ask: Ask, token: string): Promise<void> {
  await ask('GET /api/operations/info', {});
  await ask('GET /api/operations/info', { token });
  await ask('PUT /api/operations/log-level', { body: { level: 'silent' } });
  await ask('PUT /api/operations/log-level', { body: { level: 'loud' } });
  await ask('PUT /api/operations/log-level', { body: { level: 'silent' }, token });
}
