import type { Config } from './config/config.js';

interface Announcement {
  readonly config: Config;
  readonly address: string;
  readonly administrator: { readonly email: string; readonly generatedPassword: string | null } | null;
}

/**
 * Tells whoever started the service where it is. In production stdout belongs to the log, where
 * every line is JSON.
 */
export function announce({ config, address, administrator }: Announcement): void {
  if (config.NODE_ENV === 'production') return;
  const base = address.replace(/127\.0\.0\.1|\[::1?\]/, 'localhost');
  const rows = [
    ['API', `${base}/api`],
    ...(config.DOCS ? [['Documentation', `${base}/docs`]] : []),
    ['Health', `${base}/health`],
    ['Metrics', `${base}/metrics`],
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
