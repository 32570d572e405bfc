import { readFile } from 'node:fs/promises';
import { Transform, type TransformCallback } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { CliError, EXIT_CODES, usageError } from './cli.error.js';

/** The limit of the service on one row. */
const MAX_ROW_CHARS = 64 * 1024;
const MAX_NAME_CHARS = 100;
/** The beginnings of files that hold their users in a list. */
const LIST = /^\ufeff?\s*(?:\{\s*"users"\s*:\s*\[|\[)/;
/** The number of characters that suffice to tell the beginning of a list from that of a user. */
const HEAD_CHARS = 256;

/** The password hash parameters of a Firebase project. */
export interface FirebaseParameters {
  readonly signerKey: string;
  readonly saltSeparator: string;
  readonly rounds: number;
  readonly memoryCost: number;
}

/** The properties of a user as `firebase auth:export` writes them. */
interface FirebaseUser {
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
 * `firebase auth:export --format=json`, a JSON list of users, and one user a line. Holds one user in memory.
 */
export class FirebaseRows extends Transform {
  /** The number of users without an address, which cannot be imported. */
  skipped = 0;
  private readonly decoder = new StringDecoder('utf8');
  /** The beginning of the file until it is known whether it is a list; null afterwards. */
  private head: string | null = '';
  private user = '';
  private depth = 0;
  private inText = false;
  private escaped = false;

  constructor(private readonly parameters: FirebaseParameters) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.run(done, () => this.accept(this.decoder.write(chunk), false));
  }

  override _flush(done: TransformCallback): void {
    this.run(done, () => {
      this.accept(this.decoder.end(), true);
      if (this.depth > 0) throw fileFault('ends within a user');
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

  private accept(text: string, isLast: boolean): void {
    if (this.head === null) return this.split(text);
    this.head += text;
    if (this.head.length < HEAD_CHARS && !isLast) return undefined;
    const users = this.head.replace(LIST, '');
    this.head = null;
    return this.split(users);
  }

  /** Cuts the text into its outermost objects. Ignores the separators between them. */
  private split(text: string): void {
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const char = text[at];
      if (this.inText) {
        if (this.escaped) this.escaped = false;
        else if (char === '\\') this.escaped = true;
        else if (char === '"') this.inText = false;
      } else if (char === '"') this.inText = true;
      else if (char === '{') {
        if (this.depth === 0) from = at;
        this.depth++;
      } else if (char === '}' && this.depth > 0) {
        this.depth--;
        if (this.depth === 0) this.emitUser(this.user + text.slice(from, at + 1));
      }
    }
    if (this.depth > 0) this.user += text.slice(from);
    if (this.user.length > MAX_ROW_CHARS) throw fileFault('has a user that is too long');
  }

  private emitUser(json: string): void {
    this.user = '';
    let user: FirebaseUser;
    try {
      user = JSON.parse(json) as FirebaseUser;
    } catch {
      throw fileFault('is not the JSON of firebase auth:export');
    }
    if (typeof user.email !== 'string' || user.email === '') this.skipped++;
    else this.push(`${JSON.stringify(rowOf(user, user.email, this.parameters))}\n`);
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

const fileFault = (fault: string): CliError =>
  new CliError(`the file ${fault}; nothing was imported`, EXIT_CODES.failed);
