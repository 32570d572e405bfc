#!/usr/bin/env node
import { findNodeFault } from './node-version.js';

const fault = findNodeFault();
if (fault === null) {
  // Loads the client after the check, because an older Node.js cannot link its modules.
  const { runClient } = await import('./run-client.js');
  await runClient(process.argv.slice(2));
} else {
  process.stderr.write(`${fault}\n`);
  process.exitCode = 1;
}
