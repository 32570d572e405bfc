import { readFileSync } from 'node:fs';

export interface BuildInfo {
  readonly version: string;
  /** The commit that was built, with `-dirty` if the sources had changes. Null when unknown. */
  readonly commit: string | null;
}

/**
 * The build information that scripts/build.mjs stores next to the compiled sources. Without a build only the
 * version is known.
 */
export const buildInfo: BuildInfo = readJson('../../build.json') ?? {
  version: packageVersion(),
  commit: null,
};

function packageVersion(): string {
  const found = readJson('../../package.json') ?? readJson('../../../package.json');
  return found?.version ?? 'unknown';
}

function readJson(path: string): BuildInfo | null {
  try {
    return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as BuildInfo;
  } catch {
    return null;
  }
}
