import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { processEnvironment } from './environment.js';

describe('processEnvironment', () => {
  let folder: string;
  let path: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-env-'));
    path = join(folder, '.env');
    writeFileSync(path, '# a comment\nPORT=3101\nHOST="::1"\nNODE_ENV=production\n');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('adds the variables of .env that the environment lacks, except NODE_ENV', () => {
    expect(processEnvironment({ PORT: '3000', NODE_ENV: 'test' }, path)).toEqual({
      PORT: '3000',
      HOST: '::1',
      NODE_ENV: 'test',
    });
    expect(processEnvironment({}, path)).toEqual({ PORT: '3101', HOST: '::1' });
  });

  it('ignores .env in production and works without it', () => {
    expect(processEnvironment({ NODE_ENV: 'production' }, path)).toEqual({ NODE_ENV: 'production' });
    expect(processEnvironment({}, join(folder, 'nothing'))).toEqual({});
  });
});
