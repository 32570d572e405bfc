import { open } from 'node:fs/promises';

/** Flushes the entry of a new file to its folder. Windows cannot open a folder and flushes the entry without it. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
