import { transformSync } from '@swc/core';

/** Compiles TypeScript for plain Jest, with the same settings as loader.mjs. */
export default {
  process(source, filename) {
    const { code, map } = transformSync(source, { filename, swcrc: true, sourceMaps: true });
    return { code, map };
  },
};
