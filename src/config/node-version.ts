const OLDEST = [24, 15] as const;

/** Exits with a one-line message if this Node.js is too old for the service. */
export function refuseOldNode(version = process.versions.node): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  process.stderr.write(
    `Gatehouse needs Node.js ${OLDEST.join('.')} or newer, but this is ${version}; run npm start, which uses its own Node.js\n`,
  );
  process.exit(1);
}
