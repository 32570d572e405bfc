#!/usr/bin/env node
import { assertNodeVersion } from './node-version.js';

assertNodeVersion();
// Loads the client after the check, because an older Node.js cannot link its modules.
const { runClient } = await import('./run-client.js');
await runClient(process.argv.slice(2));
