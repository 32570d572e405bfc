import type { Config } from '../../config/config.js';
import { localUrl } from '../../config/public-url.js';

interface Administrator {
  readonly email: string;
  readonly generatedPassword: string | null;
}

/**
 * Prints the addresses of the service. In production stdout is only for the log, where every line is JSON.
 */
export function printBanner(config: Config, port: number, administrator: Administrator | null): void {
  if (config.NODE_ENV === 'production') return;
  const base = config.PUBLIC_URL;
  const rows = [
    ['API', `${base}/api`],
    ...(config.DOCS
      ? [
          ['Documentation', `${base}/docs`],
          ['OpenAPI', `${base}/openapi.json`],
        ]
      : []),
    ['Health', `${base}/health`],
    ['Metrics', `${base}/metrics`],
    ['Listening on', localUrl(config.HOST, port)],
  ];
  const lines = [
    '',
    '  Gatehouse is ready',
    '',
    ...rows.map(([label, value]) => `  ${label?.padEnd(15)}${value}`),
    '',
  ];
  if (administrator) {
    const { email, generatedPassword } = administrator;
    lines.push(`  First administrator: ${email}`);
    if (generatedPassword !== null)
      lines.push(`  Password:            ${generatedPassword}   (shown only now)`);
    lines.push('');
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}
