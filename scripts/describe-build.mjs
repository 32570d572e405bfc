import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Returns the facts that src/config/build-info.ts reads. An image has no repository, so COMMIT names its commit. */
export function describeBuild(root) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return { version, commit: process.env.COMMIT || findCommit(root) };
}

function findCommit(root) {
  if (!existsSync(join(root, '.git'))) return null;
  const git = (...args) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const changes = git('status', '--porcelain', '--', 'src', 'migrations', 'package.json');
    return git('rev-parse', 'HEAD') + (changes ? '-dirty' : '');
  } catch {
    return null;
  }
}
