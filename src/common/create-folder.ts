import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Creates a folder (0700) and its missing parents. Node's recursive `mkdir` never returns when a folder
 * exists in which nothing can be created, such as `/proc`, and no signal stops it.
 * @throws the file system's error
 */
export async function createFolder(path: string): Promise<void> {
  const missing: string[] = [];
  // Ends at the root, which is its own parent.
  for (let folder = resolve(path); !(await exists(folder)); folder = dirname(folder)) {
    missing.unshift(folder);
    if (folder === dirname(folder)) break;
  }
  for (const folder of missing) {
    await mkdir(folder, { mode: 0o700 }).catch(async (error: unknown) => {
      // Another process may have created it first.
      if (!(await isFolder(folder))) throw error;
    });
  }
  if (!(await isFolder(path))) {
    throw Object.assign(new Error(`${path} is not a folder`), { code: 'ENOTDIR', path });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
