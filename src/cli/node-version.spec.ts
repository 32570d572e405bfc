import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { findNodeFault } from './node-version.js';

describe('findNodeFault', () => {
  it('accepts the version of package.json and later ones, and names the one that is needed', () => {
    const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    const { engines } = JSON.parse(text) as { engines: { node: string } };
    const wanted = engines.node.replace('>=', '');
    const [major = 0, minor = 0] = wanted.split('.').map(Number);
    for (const version of [`${wanted}.0`, `${major}.${minor + 1}.0`, `${major + 1}.0.0`])
      expect(findNodeFault(version)).toBeNull();
    for (const version of [`${major}.${minor - 1}.9`, `${major - 1}.99.0`])
      expect(findNodeFault(version)).toContain(`needs Node.js ${wanted} or newer, but this is ${version};`);
  });
});
