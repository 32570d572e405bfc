const OLDEST = [24, 15] as const;

/** Ends a process whose Node.js cannot run the service, with one line that says so. */
export function refuseOldNode(version = process.versions.node): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  process.stderr.write(
    `Gatehouse needs Node.js ${OLDEST.join('.')} or newer, this is ${version}: start it with npm start, which brings its own\n`,
  );
  process.exit(1);
}
