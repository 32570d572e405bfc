import { refuseOldNode } from './config/node-version.js';

refuseOldNode();
// Only now: older versions of Node crash while they load a native module of the service.
const { start } = await import('./start.js');
await start();
