import type { DeclaredFlag } from '../../platform/feature-flags/declared-flag.js';

export const importFlag: DeclaredFlag = {
  key: 'import',
  description: 'New imports of users. While it is off, imports that have begun go on',
  default: true,
  refusal: 'Imports are switched off',
};
