import { argon2id } from 'argon2';

/** The service's own parameters of argon2. */
export const ARGON2 = { type: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 };
