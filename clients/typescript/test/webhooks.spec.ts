import { describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { verifyWebhook, WebhookVerificationError } from '../src/index.js';

const SECRET = `whsec_${Buffer.from('a secret of thirty-two characters').toString('base64')}`;
const OTHER = `whsec_${Buffer.from('another secret of some characters').toString('base64')}`;
const BODY = '{"specversion": "1.0", "type": "user.created", "data": {"name": "Ädä"}}';
const NOW = Date.UTC(2026, 0, 1);

/** Signs a message as Gatehouse does, with the library that receivers use. */
function headers(secrets: readonly string[] = [SECRET], sentAt = NOW) {
  const time = new Date(sentAt);
  return {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(sentAt / 1000),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign('msg_1', time, BODY)).join(' '),
  };
}

const verify = (body: string | Uint8Array, sent: object = headers(), secret = SECRET) =>
  verifyWebhook({ body, headers: sent as Record<string, string> }, secret, { now: NOW });

describe('a webhook', () => {
  it.each([
    ['as text', BODY, headers()],
    ['as bytes', Buffer.from(BODY), headers()],
    ['with the headers of fetch', BODY, new Headers(headers())],
    ['with a second signature', BODY, headers([OTHER, SECRET])],
    [
      'with a signature of another version',
      BODY,
      { ...headers(), 'webhook-signature': `v1a,AA== ${headers()['webhook-signature']}` },
    ],
    ['five minutes old', BODY, headers([SECRET], NOW - 300_000)],
    ['five minutes early', BODY, headers([SECRET], NOW + 300_000)],
  ])('is accepted %s', async (_, body, sent) => {
    expect(await verify(body, sent)).toEqual(JSON.parse(BODY));
  });

  it.each([
    ['has another body', `${BODY} `, headers()],
    ['has another id', BODY, { ...headers(), 'webhook-id': 'msg_2' }],
    ['has another time', BODY, { ...headers(), 'webhook-timestamp': String(NOW / 1000 + 1) }],
    ['was signed with another secret', BODY, headers([OTHER])],
    ['is older than five minutes', BODY, headers([SECRET], NOW - 301_000)],
    ['is more than five minutes early', BODY, headers([SECRET], NOW + 301_000)],
    ['has no number as its time', BODY, { ...headers(), 'webhook-timestamp': 'now' }],
    ['has a part of a signature', BODY, { ...headers(), 'webhook-signature': 'v1,AAAA' }],
    ['has a signature that is not base64', BODY, { ...headers(), 'webhook-signature': 'v1,%' }],
    ['has an empty signature', BODY, { ...headers(), 'webhook-signature': 'v1' }],
    ['has no signature', BODY, { ...headers(), 'webhook-signature': '' }],
    ['has a signature twice', BODY, { ...headers(), 'webhook-signature': ['v1,AAAA', 'v1,AAAA'] }],
    ['has no id', BODY, { ...headers(), 'webhook-id': undefined }],
    [
      'has the signature after too many others',
      BODY,
      { ...headers(), 'webhook-signature': `${'v1,AAAA '.repeat(16)}${headers()['webhook-signature']}` },
    ],
  ])('is refused if it %s', async (_, body, sent) => {
    await expect(verify(body, sent)).rejects.toBeInstanceOf(WebhookVerificationError);
  });

  it('is refused if its body is no JSON, although it is signed', async () => {
    const time = new Date(NOW);
    const sent = { ...headers(), 'webhook-signature': new Webhook(SECRET).sign('msg_1', time, 'hello') };
    await expect(verify('hello', sent)).rejects.toThrow('the body is no JSON');
  });

  it.each(['', 'whsec_', 'whsec_%%', SECRET.slice('whsec_'.length)])(
    'needs a secret of the service, not %j',
    async (secret) => {
      await expect(verify(BODY, headers(), secret)).rejects.toBeInstanceOf(TypeError);
    },
  );
});
