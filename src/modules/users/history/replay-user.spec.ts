import { describe, expect, it } from '@jest/globals';
import type { StoredEvent } from '../../../platform/event-store/event-store.js';
import { replayUser } from './replay-user.js';

const USER_ID = '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10';
const FACTS = { email: 'a@example.com', name: 'A', status: 'active', roles: ['user'], email_verified: false };

const event = (version: number, data: object | null): StoredEvent => ({
  id: USER_ID,
  type: 'user.updated',
  stream: USER_ID,
  version,
  subject: USER_ID,
  about: null,
  occurredAt: new Date(version),
  position: { epoch: 1, xid: String(version), seq: String(version) },
  data,
});

describe('replaying the events of a user', () => {
  it('applies each event in order and takes the times of the first and the last', () => {
    expect(replayUser([event(1, FACTS), event(2, { name: 'B' }), event(3, { status: 'disabled' })])).toEqual({
      id: USER_ID,
      ...FACTS,
      locale: 'en',
      name: 'B',
      status: 'disabled',
      version: 3,
      last_login_at: null,
      created_at: new Date(1).toISOString(),
      updated_at: new Date(3).toISOString(),
    });
  });

  it('takes the locale from the last event that carries one', () => {
    const events = [event(1, { ...FACTS, locale: 'de' }), event(2, { name: 'B' })];
    expect(replayUser(events)).toMatchObject({ name: 'B', locale: 'de' });
  });

  it.each<[string, StoredEvent[]]>([
    ['no events exist', []],
    ['the first event is missing', [event(2, { name: 'B' })]],
    ['one event can no longer be decrypted', [event(1, FACTS), event(2, null)]],
  ])('returns null when %s', (_, events) => {
    expect(replayUser(events)).toBeNull();
  });
});
