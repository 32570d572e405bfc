import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CliError, EXIT_CODES } from '../cli.error.js';
import { printStatus } from '../output/console-output.js';

/** The permissions that nobody but the owner may have. */
const OTHERS = 0o077;

/** The tokens of a sign-in. */
export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  /** The end of the access token, in milliseconds since 1970. */
  readonly expires_at: number;
}

interface Logins {
  /** The origin of the last login. */
  readonly current: string;
  /** The tokens by the origin of their service. */
  readonly tokens: Readonly<Record<string, Tokens>>;
}

/** The file of the tokens is not one that this client has written. */
class DamagedLoginsError extends CliError {
  constructor(path: string, options?: ErrorOptions) {
    super(`${path} is damaged: gatehouse login replaces it`, EXIT_CODES.failed, options);
  }
}

/** Returns the file of the tokens in the user's config directory. */
export function loginFileOf(env: Readonly<NodeJS.ProcessEnv>): string {
  const home = process.platform === 'win32' ? env['APPDATA'] : env['XDG_CONFIG_HOME'];
  return join(home || join(homedir(), '.config'), 'gatehouse', 'logins.json');
}

/** Keeps tokens of earlier sign-ins in a file that only its owner may read (mode 0600). */
export class LoginStore {
  constructor(private readonly path: string) {}

  /** Returns the address of the service of the last login. @throws CliError when the file is damaged */
  async currentUrl(): Promise<string | undefined> {
    return (await this.read())?.current;
  }

  /** Returns the origins of all services with tokens. */
  async origins(): Promise<string[]> {
    return Object.keys((await this.read())?.tokens ?? {});
  }

  /** Returns the tokens for the service. @throws CliError when other users may read the file */
  async find(origin: string): Promise<Tokens | null> {
    return (await this.read())?.tokens[origin] ?? null;
  }

  /** Saves the tokens, also in place of a damaged file. @returns the tokens for the service until now */
  async save(origin: string, tokens: Tokens): Promise<Tokens | null> {
    const isDamaged = await this.isDamaged();
    const before = isDamaged ? null : await this.read();
    await this.write({ current: origin, tokens: { ...before?.tokens, [origin]: tokens } });
    if (isDamaged) printStatus(`${this.path} was damaged and is replaced: other logins in it are lost`);
    return before?.tokens[origin] ?? null;
  }

  async isDamaged(): Promise<boolean> {
    try {
      await this.read();
      return false;
    } catch (error) {
      if (error instanceof DamagedLoginsError) return true;
      throw error;
    }
  }

  /** Removes a damaged file. */
  async removeDamaged(): Promise<void> {
    await rm(this.path);
  }

  async remove(origin: string): Promise<void> {
    const before = await this.read();
    if (!before) return;
    const tokens = Object.entries(before.tokens).filter(([other]) => other !== origin);
    await this.write({ current: before.current, tokens: Object.fromEntries(tokens) });
  }

  private async read(): Promise<Logins | null> {
    try {
      const { mode } = await stat(this.path);
      if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
        throw new CliError(
          `other users may read ${this.path}: run chmod 600 ${this.path}`,
          EXIT_CODES.refused,
        );
      const logins: unknown = JSON.parse(await readFile(this.path, 'utf8'));
      if (isLogins(logins)) return logins;
      throw new DamagedLoginsError(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      if (error instanceof SyntaxError) throw new DamagedLoginsError(this.path, { cause: error });
      throw error;
    }
  }

  /** Replaces the file as a whole, so that a killed process leaves the old one. */
  private async write(logins: Logins): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const file = `${this.path}.${process.pid}.new`;
    await rm(file, { force: true });
    await writeFile(file, JSON.stringify(logins), { mode: 0o600, flag: 'wx' });
    await rename(file, this.path);
  }
}

function isLogins(content: unknown): content is Logins {
  const { current, tokens } = (content ?? {}) as Partial<Logins>;
  if (typeof current !== 'string' || typeof tokens !== 'object') return false;
  return Object.values<Partial<Tokens> | null>({ ...tokens }).every(
    (each) =>
      typeof each?.access_token === 'string' &&
      typeof each.refresh_token === 'string' &&
      typeof each.expires_at === 'number',
  );
}
