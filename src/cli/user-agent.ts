import { readFileSync } from 'node:fs';

/** The files that name the version: of the build, and of the sources. */
const FILES = ['../../build.json', '../../../package.json', '../../package.json'];

export const VERSION = findVersion();

/** The name of this client in the audit log and in lists of sessions. */
export const USER_AGENT = `gatehouse-cli/${VERSION}`;

function findVersion(): string {
  for (const file of FILES) {
    try {
      const text = readFileSync(new URL(file, import.meta.url), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      // The next file may exist.
    }
  }
  return 'unknown';
}
