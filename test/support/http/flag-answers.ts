import { NOBODY } from '../builders/users.js';
import type { Ask } from './ask.js';

/** Asks about feature flags, also with requests that are refused. `token` is of a user without permissions. */
export async function askAboutFlags(ask: Ask, token: string): Promise<void> {
  const flag = { key: 'breached_passwords' };
  const context = { targetingKey: NOBODY };
  await ask('GET /api/flags', { token });
  await ask('GET /api/flags/{key}', flag);
  await ask('GET /api/flags/{key}', { key: 'unknown' });
  await ask('GET /api/flags/{key}', { ...flag, token });
  await ask('PUT /api/flags/{key}', { ...flag, body: { enabled: true, rollout_percent: 20 } });
  await ask('PUT /api/flags/{key}', { ...flag, body: { enabled: 1 } });
  await ask('PUT /api/flags/{key}', {
    ...flag,
    body: { enabled: true },
    headers: { 'If-Match': '"breached_passwords.1"' },
  });
  await ask('POST /ofrep/v1/evaluate/flags', { body: { context } });
  await ask('POST /ofrep/v1/evaluate/flags', { body: { context }, headers: { 'If-None-Match': '*' } });
  await ask('POST /ofrep/v1/evaluate/flags', { body: {} });
  await ask('POST /ofrep/v1/evaluate/flags', { body: { context }, token });
  await ask('POST /ofrep/v1/evaluate/flags/{key}', { ...flag, body: { context } });
  await ask('POST /ofrep/v1/evaluate/flags/{key}', { ...flag, body: { context: {} } });
  await ask('POST /ofrep/v1/evaluate/flags/{key}', { key: 'unknown', body: { context } });
}
