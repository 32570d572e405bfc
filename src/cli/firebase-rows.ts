import { readFile } from 'node:fs/promises';
import { Transform, type TransformCallback } from 'node:stream';
import { CliError, EXIT_CODES, usageError } from './cli.error.js';

/** The limit of the service on one row. */
const MAX_ROW_CHARS = 64 * 1024;
const MAX_NAME_CHARS = 100;
/** The parts of JSON that decide where an object ends: texts, also one that is cut off, and brackets. */
const TOKEN = /"(?:[^"\\]|\\[^])*(?:"|\\?$)|[[\]{}]/g;

/** The password hash parameters of a Firebase project. */
export interface FirebaseParameters {
  readonly signerKey: string;
  readonly saltSeparator: string;
  readonly rounds: number;
  readonly memoryCost: number;
}

/** The properties of a user as `firebase auth:export` writes them. */
interface FirebaseUser {
  readonly localId?: unknown;
  readonly email?: unknown;
  readonly emailVerified?: unknown;
  readonly displayName?: unknown;
  readonly disabled?: unknown;
  readonly createdAt?: unknown;
  readonly passwordHash?: unknown;
  readonly salt?: unknown;
}

/**
 * Reads the file with the parameters: the text of Firebase's console (`hash_config { … }`), or JSON with the
 * same names or with those of the Identity Toolkit API.
 * @throws CliError when a parameter is missing
 */
export async function readFirebaseParameters(file: string): Promise<FirebaseParameters> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new CliError(`${file} cannot be read`, EXIT_CODES.usage, { cause });
  }
  const valueOf = (...names: readonly string[]): string => {
    const value = new RegExp(`"?\\b(?:${names.join('|')})"?\\s*:\\s*"?([\\w+/=-]*)`).exec(text)?.[1];
    if (value === undefined) throw usageError(`${file} has no ${names[0]}`);
    return value;
  };
  const algorithm = valueOf('algorithm');
  if (algorithm !== 'SCRYPT') throw usageError(`${file} has the algorithm ${algorithm} instead of SCRYPT`);
  const parameters = {
    signerKey: valueOf('base64_signer_key', 'signerKey'),
    saltSeparator: valueOf('base64_salt_separator', 'saltSeparator'),
    rounds: Number(valueOf('rounds')),
    memoryCost: Number(valueOf('mem_cost', 'memoryCost', 'memCost')),
  };
  if (parameters.signerKey === '' || !(parameters.rounds > 0) || !(parameters.memoryCost > 0))
    throw usageError(`${file} has an empty parameter`);
  return parameters;
}

/**
 * Turns the users of a Firebase export into rows of an import, one JSON object a line. Accepts the file of
 * `firebase auth:export --format=json`, a JSON list of users, and one user a line. Holds one user in memory. Its errors
 * are the end of a sentence about the file.
 */
export class FirebaseRows extends Transform {
  /** The number of users without an address, which cannot be imported. */
  skipped = 0;
  private readonly decoder = new TextDecoder('utf8', { fatal: true });
  /** The part of the file being read: up to the first user, the users, or what follows their list. */
  private part: 'head' | 'users' | 'tail' = 'head';
  /** The file without its users, to check that it is complete. Empty for one user a line. */
  private frame = '';
  private user = '';
  private depth = 0;
  private inText = false;
  private escaped = false;

  constructor(private readonly parameters: FirebaseParameters) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.run(done, () => this.accept(this.decode(chunk)));
  }

  override _flush(done: TransformCallback): void {
    this.run(done, () => {
      this.accept(this.decode());
      if (this.depth > 0) throw new Error('is incomplete: it ends within a user');
      if (this.part === 'head') throw this.frame.trim() === '' ? notFirebase() : listNotEnded();
      if (this.frame !== '') this.checkFrame();
    });
  }

  private run(done: TransformCallback, work: () => void): void {
    try {
      work();
      done();
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Decodes a chunk, or the end of the file. Drops a byte order mark. */
  private decode(chunk?: Buffer): string {
    try {
      return this.decoder.decode(chunk, { stream: chunk !== undefined });
    } catch (cause) {
      throw new Error('is not UTF-8', { cause });
    }
  }

  private accept(text: string): void {
    if (this.part === 'users') return this.split(text);
    this.frame += text;
    if (this.part === 'head') {
      const users = findUsers(this.frame);
      if (users) {
        const rest = this.frame.slice(users.from);
        this.frame = users.inList ? this.frame.slice(0, users.from) : '';
        this.part = 'users';
        return this.split(rest);
      }
    }
    if (this.frame.length > MAX_ROW_CHARS) throw this.part === 'head' ? userTooLong() : notFirebase();
    return undefined;
  }

  /** Cuts the text into its outermost objects, up to the end of the list. */
  private split(text: string): void {
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const char = text[at];
      if (this.inText) {
        if (this.escaped) this.escaped = false;
        else if (char === '\\') this.escaped = true;
        else if (char === '"') this.inText = false;
      } else if (char === '{') {
        if (this.depth === 0) from = at;
        this.depth++;
      } else if (this.depth === 0) {
        if (char === ']' && this.frame !== '') return this.endList(text.slice(at));
        if (!/[\s,]/.test(char ?? '')) throw notFirebase();
      } else if (char === '"') this.inText = true;
      else if (char === '}') {
        this.depth--;
        if (this.depth === 0) this.emitUser(this.user + text.slice(from, at + 1));
      }
    }
    if (this.depth > 0) this.user += text.slice(from);
    if (this.user.length > MAX_ROW_CHARS) throw userTooLong();
  }

  private endList(rest: string): void {
    this.part = 'tail';
    this.accept(rest);
  }

  private checkFrame(): void {
    if (this.part !== 'tail') throw listNotEnded();
    if (parseJson(this.frame) === undefined) throw notFirebase();
  }

  private emitUser(json: string): void {
    this.user = '';
    const user = parseJson(json) as FirebaseUser | undefined;
    if (typeof user?.localId !== 'string' || user.localId === '') throw notFirebase();
    if (typeof user.email !== 'string' || user.email === '') this.skipped++;
    else this.push(`${JSON.stringify(rowOf(user, user.email, this.parameters))}\n`);
  }
}

/**
 * Finds where the users begin: in a list, in the list `users` of an object, or with the first of several objects.
 * Returns null when the text is too short to tell.
 * @throws Error for another beginning
 */
function findUsers(text: string): { readonly from: number; readonly inList: boolean } | null {
  const from = text.search(/\S/);
  if (from === -1) return null;
  if (text[from] === '[') return { from: from + 1, inList: true };
  if (text[from] !== '{') throw notFirebase();
  let depth = 0;
  let key = '';
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (depth === 1 && token === '[' && key === '"users"') return { from: index + 1, inList: true };
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1) key = token;
    if (depth === 0) return { from, inList: false };
  }
  return null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function rowOf(user: FirebaseUser, email: string, parameters: FirebaseParameters): object {
  const name = typeof user.displayName === 'string' ? user.displayName.trim() : '';
  return {
    email,
    name: Array.from(name === '' ? (email.split('@')[0] ?? '') : name)
      .slice(0, MAX_NAME_CHARS)
      .join(''),
    ...(typeof user.passwordHash === 'string' &&
      user.passwordHash !== '' && { password_hash: hashOf(user.passwordHash, user.salt, parameters) }),
    email_verified: user.emailVerified === true,
    status: user.disabled === true ? 'disabled' : 'active',
    ...timeOf(user.createdAt),
  };
}

/** Converts the time of creation, which Firebase writes as milliseconds in a text. */
function timeOf(createdAt: unknown): { created_at?: string } {
  const time = new Date(typeof createdAt === 'string' && createdAt !== '' ? Number(createdAt) : Number.NaN);
  return Number.isNaN(time.getTime()) ? {} : { created_at: time.toISOString() };
}

function hashOf(
  hash: string,
  salt: unknown,
  { signerKey, saltSeparator, rounds, memoryCost }: FirebaseParameters,
): string {
  return `$firebase-scrypt$r=${rounds},m=${memoryCost},sep=${saltSeparator},key=${signerKey}$${typeof salt === 'string' ? salt : ''}$${hash}`;
}

const notFirebase = (): Error => new Error('is not the JSON of firebase auth:export');
const userTooLong = (): Error => new Error('has a user that is too long');
const listNotEnded = (): Error => new Error('is incomplete: the list of users does not end');
