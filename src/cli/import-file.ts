import { open } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { getSystemErrorMessage } from 'node:util';
import { createGunzip } from 'node:zlib';
import { CliError, EXIT_CODES } from './cli.error.js';
import type { FirebaseRows } from './firebase-rows.js';

/** A file of users that is sent to the service while it is read. */
export interface ImportFile {
  /** The content to send. It fails with a CliError that names the file. */
  readonly content: Readable;
  /** Closes the file, also while a read is waiting for data. */
  readonly close: () => void;
}

interface Conversion {
  readonly firebase: FirebaseRows | null;
  readonly isCompressed: boolean;
}

/**
 * Opens a file of users; `-` is standard input. Expands and converts an export of Firebase. Reads nothing before the
 * content is read, because a fault that nobody listens for yet would end the process.
 * @throws when the file does not exist
 */
export async function openImportFile(file: string, conversion: Conversion): Promise<ImportFile> {
  const source: Readable = file === '-' ? process.stdin : (await open(file)).createReadStream();
  return {
    content: Readable.from(contentOf(source, file === '-' ? 'standard input' : file, conversion)),
    close: () => source.destroy(),
  };
}

async function* contentOf(
  source: Readable,
  name: string,
  { firebase, isCompressed }: Conversion,
): AsyncGenerator<Buffer> {
  try {
    if (!firebase) yield* source;
    else yield* convert(source, firebase, isCompressed);
  } catch (cause) {
    throw new CliError(`${name} ${faultOf(cause)}; nothing was imported`, EXIT_CODES.usage, { cause });
  }
}

/** Returns the rows of an export of Firebase. Reading them fails with the error of any part. */
function convert(source: Readable, firebase: FirebaseRows, isCompressed: boolean): Readable {
  // The callback is only there to listen: an error without a listener would end the process.
  pipeline(isCompressed ? [source, createGunzip(), firebase] : [source, firebase], () => {});
  return firebase;
}

/** Returns the fault of a file as the end of a sentence. */
function faultOf(error: unknown): string {
  const { message, code = '', errno } = error as NodeJS.ErrnoException;
  // zlib has error numbers of its own.
  if (code === 'Z_BUF_ERROR') return 'is incomplete: the compressed data end too early';
  if (code.startsWith('Z_')) return 'is not a gzip file, or is damaged';
  return errno === undefined ? message : `cannot be read: ${getSystemErrorMessage(errno)}`;
}
