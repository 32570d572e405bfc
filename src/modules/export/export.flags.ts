import type { DeclaredFlag } from '../../platform/feature-flags/declared-flag.js';

export const exportFlag: DeclaredFlag = {
  key: 'export',
  description: 'New exports. While it is off, running exports go on and can be resumed',
  default: true,
  refusal: 'Exports are switched off',
};
