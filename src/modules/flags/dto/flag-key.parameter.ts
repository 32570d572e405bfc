import { FLAG_KEY } from '../../../platform/feature-flags/declared-flag.js';

/** Documents the key of a flag in a path. */
export const FLAG_KEY_PARAMETER = {
  name: 'key',
  description: 'The key of the flag',
  schema: { type: 'string', pattern: FLAG_KEY.source, example: 'signup' },
} as const;
