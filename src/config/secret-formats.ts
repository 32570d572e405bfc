import { z } from 'zod';

const SAMPLE = 'must be random, but this looks like a sample value';
const PLACEHOLDER =
  /(?:change|replace|insert|fill).{0,6}(?:me|this|it|here)(?![a-z])|placeholder|example|sample|your[-_ ]/i;
const MIN_DISTINCT = 8;

/**
 * Returns true if a secret consists of few distinct values or mostly counts up or down. A random one never
 * does.
 */
function looksLikeSample(secret: Uint8Array): boolean {
  if (new Set(secret).size < MIN_DISTINCT) return true;
  const steps = Array.from(secret.subarray(1), (byte, index) => byte - (secret[index] ?? 0));
  return [1, -1].some((step) => steps.filter((each) => each === step).length > steps.length / 2);
}

/** The key that encrypts every stored secret. */
export const masterKey = z.string().transform((value, context) => {
  const key = Buffer.from(value, 'base64');
  const canonical = key.toString('base64').replace(/=+$/, '') === value.replace(/=+$/, '');
  if (key.length !== 32 || !canonical) {
    context.addIssue({ code: 'custom', message: 'must be 32 bytes in base64 (openssl rand -base64 32)' });
  } else if (looksLikeSample(key)) {
    context.addIssue({ code: 'custom', message: SAMPLE });
  }
  return key;
});

/** A secret that a client presents. */
export const bearerSecret = z
  .string()
  .min(16, 'must have at least 16 characters')
  .refine(
    (value) => value.length < 16 || !(PLACEHOLDER.test(value) || looksLikeSample(Buffer.from(value))),
    SAMPLE,
  );

export const MIN_PASSPHRASE = 12;

/** A secret that a person may choose and type. */
export const passphrase = z.string().min(MIN_PASSPHRASE, `must have at least ${MIN_PASSPHRASE} characters`);
