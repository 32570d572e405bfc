// `npm start`: compiles when needed, then runs the service in this same process, so that signals reach it.
//
// This file must load on the system's Node.js, however old. An older one dies silently when it loads argon2
// and cannot parse the later modules, so the file has no static import.

// Without a listener, this signal would end a slow start; ProcessSignals takes over later. After a terminal
// was closed, no person is left to stop the service, so it exits.
process.on('SIGHUP', () => {
  if (process.stdin.isTTY) process.exit(129);
});

const MIN_NODE = [24, 15];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < MIN_NODE[0] || (major === MIN_NODE[0] && minor < MIN_NODE[1])) {
  process.stderr.write(
    `Gatehouse needs Node ${MIN_NODE.join('.')} or newer, this is ${process.versions.node}: ` +
      'use `npm start`, which brings its own\n',
  );
  process.exit(1);
}

const { pathToFileURL } = await import('node:url');
const { entry } = await import('./build.mjs');
if (entry !== undefined) await import(pathToFileURL(entry).href);
