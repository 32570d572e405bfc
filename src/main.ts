import module from 'node:module';
import { isatty } from 'node:tty';
import { assertNodeVersion } from './config/node-version.js';

// Same as in scripts/start.mjs, for a start without that script.
process.on('SIGHUP', () => {
  if (isatty(0)) process.exit(129);
});
assertNodeVersion();
// Limits --enable-source-maps to our own code. Without this, every start reads and parses the maps of all dependencies.
module.setSourceMapsSupport(true, { nodeModules: false });
// Loads the service after the check, because older versions of Node.js crash while they load one of its
// native modules.
const { startService } = await import('./platform/startup/start-service.js');
await startService(() => import('./app.js'));
