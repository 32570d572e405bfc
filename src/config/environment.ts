import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment of this process. Outside production the file `.env` in the working folder adds what the
 * environment does not set; NODE_ENV is never taken from it, since it decides whether the file is read.
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
    // There is none, or it is not ours to read.
    return {};
  }
}
