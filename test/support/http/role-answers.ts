import type { Ask } from './ask.js';

/** Asks for every answer about roles that the document describes. */
export async function askAboutRoles(ask: Ask): Promise<void> {
  await ask('GET /api/roles', {});
  await ask('PUT /api/roles/{name}', { key: 'support', body: { permissions: ['users:read'] } });
  await ask('GET /api/roles/{name}', { key: 'support' });
  await ask('GET /api/roles/{name}', { key: 'support', headers: { 'If-Match': '"another.1"' } });
  await ask('DELETE /api/roles/{name}', { key: 'support' });
  await ask('DELETE /api/roles/{name}', { key: 'support' });
  await ask('DELETE /api/roles/{name}', { key: 'admin' });
  await ask('PUT /api/roles/{name}', { key: 'admin', body: { permissions: [] } });
  await ask('PUT /api/roles/{name}', { key: 'Not a role', body: { permissions: [] } });
}
