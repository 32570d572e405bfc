import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** The reason why this machine cannot make certificates; null when it can. */
export const noOpenssl: string | null =
  spawnSync('openssl', ['version']).status === 0
    ? null
    : 'openssl is not installed (apt-get install openssl)';

interface Files {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority for one test. */
export class Authority {
  private constructor(
    private readonly folder: string,
    private readonly files: Files,
  ) {}

  static make(folder: string, name: string): Authority {
    return new Authority(folder, make(folder, name, []));
  }

  get cert(): string {
    return this.files.cert;
  }

  /** Signs a certificate that proves the host name `host`. */
  sign(name: string, host: string): Files {
    const { cert, key } = this.files;
    return make(this.folder, name, ['-CA', cert, '-CAkey', key, '-addext', `subjectAltName=DNS:${host}`]);
  }
}

function make(folder: string, name: string, more: readonly string[]): Files {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const args = ['req', '-x509', ...curve, '-nodes', '-days', '2', '-subj', `/CN=${name}`];
  execFileSync('openssl', [...args, '-keyout', key, '-out', cert, ...more], { stdio: 'ignore' });
  return { cert, key };
}
