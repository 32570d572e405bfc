import type { DeclaredFlag } from '../../platform/feature-flags/declared-flag.js';

export const webhooksFlag: DeclaredFlag = {
  key: 'webhooks',
  description: 'Webhooks. While it is off, new requests about webhooks are refused and deliveries wait',
  default: true,
  refusal: 'Webhooks are switched off',
};
