import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { majorVersion } from './binaries.js';

describe('majorVersion', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-binaries-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function program(name: string, script: string) {
    const postgres = join(folder, name);
    await writeFile(postgres, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return { postgres, initdb: postgres, pg_ctl: postgres };
  }

  it('returns the major version', async () => {
    expect(await majorVersion(await program('good', 'echo "postgres (PostgreSQL) 18.1"'))).toBe(18);
  });

  it('reports that a program did not answer in time', async () => {
    await expect(majorVersion(await program('slow', 'exec sleep 30'), 200)).rejects.toThrow(
      /slow does not run here: it did not answer within 0\.2 s; /,
    );
  });

  it('explains why a program does not run, even if it prints nothing', async () => {
    const silent = majorVersion(await program('silent', 'exit 0'));
    await expect(silent).rejects.toThrow('does not run here: it printed nothing;');
    const failing = majorVersion(await program('failing', 'echo "no libc" >&2; exit 127'));
    await expect(failing).rejects.toThrow('does not run here: no libc;');
  });
});
