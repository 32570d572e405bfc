import { readFileSync } from 'node:fs';

export interface BuildInfo {
  readonly version: string;
  /** The commit that was built, with `-dirty` when the sources differed from it; null when nobody knows. */
  readonly commit: string | null;
}

/** The facts that scripts/build.mjs wrote beside the compiled sources; before a build only the version is known. */
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
