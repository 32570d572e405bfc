import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createFolder } from './create-folder.js';

describe('createFolder', () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'gatehouse-folder-'));
    await writeFile(join(root, 'file'), '');
    await symlink(join(root, 'nowhere', 'else'), join(root, 'link'));
  });
  afterAll(() => rm(root, { recursive: true }));

  it('creates missing folders with mode 0700, even when several calls race', async () => {
    const path = join(root, 'a', 'b', 'c');
    await Promise.all([createFolder(path), createFolder(path), createFolder(path)]);
    for (const folder of ['a', 'a/b', 'a/b/c']) {
      expect((await stat(join(root, folder))).mode & 0o777).toBe(0o700);
    }
    await createFolder(path);
  });

  it.each(['file', 'file/below', 'link', 'link/below'])('fails for %s', async (name) => {
    await expect(createFolder(join(root, name))).rejects.toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^(?:ENOTDIR|EEXIST|ENOENT)$/) }),
    );
  });

  const onLinux = process.platform === 'linux' ? it : it.skip;
  onLinux('fails where a folder exists and takes no other', async () => {
    await expect(createFolder('/proc/nope')).rejects.toThrow(/ENOENT/);
    await expect(createFolder('/proc/nope/deeper')).rejects.toThrow(/ENOENT/);
  });
});
