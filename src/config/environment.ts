import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Returns the environment of this process. Outside production, the file `.env` in the working folder adds
 * variables that the environment does not set. NODE_ENV is never read from it, because it decides whether the
 * file is read.
 */
export function processEnvironment(env: Environment = process.env, path = '.env'): Environment {
  if (env['NODE_ENV'] === 'production') return env;
  const { NODE_ENV: _, ...fromFile } = readEnvFile(path);
  return { ...fromFile, ...env };
}

function readEnvFile(path: string): Environment {
  try {
    return parseEnv(readFileSync(path, 'utf8'));
  } catch {
    // The file does not exist or is not readable.
    return {};
  }
}
