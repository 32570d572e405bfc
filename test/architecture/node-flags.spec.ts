import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { ALLOCATOR_SETTINGS, NODE_FLAGS } from '../../scripts/node-flags.mjs';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const settings = Object.entries(ALLOCATOR_SETTINGS)
  .map(([name, value]) => `${name}=${value}`)
  .join(' ');

describe('the flags of Node.js and the settings of the allocator', () => {
  it('are the same in `npm start` and in the image', () => {
    const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: { readonly start: string } };
    expect(scripts.start).toBe(`exec env ${settings} node ${NODE_FLAGS.join(' ')} scripts/start.mjs`);
    const image = read('Dockerfile');
    expect(image.match(/\bMALLOC_\w*=\S*/g)?.join(' ')).toBe(settings);
    expect(image).toContain(
      `CMD ${JSON.stringify(['node', ...NODE_FLAGS, 'dist/src/main.js']).replaceAll(',', ', ')}\n`,
    );
  });
});
