import { isatty } from 'node:tty';
import { refuseOldNode } from './config/node-version.js';

// As in scripts/start.mjs, for a start without it.
process.on('SIGHUP', () => {
  if (isatty(0)) process.exit(129);
});
refuseOldNode();
// Only now: older versions of Node crash while they load a native module of the service.
const { start } = await import('./start.js');
await start();
