import { NOBODY } from '../builders/users.js';
import type { Ask } from './ask.js';

const HOOK = { url: 'https://receiver.example/hooks', types: ['user.created'], description: 'A note' };

/** Asks for every answer about webhooks that the document describes. */
export async function askAboutWebhooks(ask: Ask): Promise<void> {
  const made = await ask('POST /api/webhooks', { body: HOOK });
  const { id } = made.body as { id: string };
  const key = { key: id };
  await ask('POST /api/webhooks', { body: { ...HOOK, url: 'https://127.0.0.1/' } });
  await ask('POST /api/webhooks', { body: { ...HOOK, types: ['user.unknown'] } });
  await ask('GET /api/webhooks', { query: '?limit=1&total=exact' });
  await ask('GET /api/webhooks/{id}', key);
  await ask('GET /api/webhooks/{id}', { ...key, headers: { 'If-None-Match': made.get('etag') ?? '' } });
  await ask('GET /api/webhooks/{id}', { key: NOBODY });
  await ask('PATCH /api/webhooks/{id}', { ...key, body: { status: 'paused' } });
  await ask('PATCH /api/webhooks/{id}', { ...key, body: {}, headers: { 'If-Match': '"99"' } });
  await ask('POST /api/webhooks/{id}/rotate-secret', key);
  const tested = await ask('POST /api/webhooks/{id}/test', key);
  const { id: delivery } = tested.body as { id: string };
  await ask('GET /api/webhooks/{id}/deliveries', { ...key, query: '?limit=1&total=estimate' });
  await ask('POST /api/webhooks/{id}/deliveries/{delivery_id}/redeliver', { ...key, delivery });
  await ask('POST /api/webhooks/{id}/deliveries/{delivery_id}/redeliver', { ...key, delivery: NOBODY });
  const range = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' };
  await ask('POST /api/webhooks/{id}/replay', { ...key, body: range });
  await ask('POST /api/webhooks/{id}/replay', { ...key, body: { from: range.to, to: range.from } });
  await ask('DELETE /api/webhooks/{id}', { ...key, headers: { 'If-Match': '"99"' } });
  await ask('DELETE /api/webhooks/{id}', key);
  await ask('DELETE /api/webhooks/{id}', key);
}
