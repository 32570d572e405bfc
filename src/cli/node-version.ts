const MIN_VERSION = [24, 15] as const;

/** Exits with a one-line message if this Node.js is too old for the client. */
export function assertNodeVersion(version = process.versions.node): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > MIN_VERSION[0] || (major === MIN_VERSION[0] && minor >= MIN_VERSION[1])) return;
  process.stderr.write(
    `gatehouse needs Node.js ${MIN_VERSION.join('.')} or newer, but this is ${version}; npm run cli uses its own Node.js\n`,
  );
  process.exit(1);
}
