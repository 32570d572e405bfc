const MIN_VERSION = [24, 15] as const;

/** Returns a message of one line if this Node.js is too old for the client, and null otherwise. */
export function findNodeFault(version = process.versions.node): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > MIN_VERSION[0] || (major === MIN_VERSION[0] && minor >= MIN_VERSION[1])) return null;
  return `gatehouse needs Node.js ${MIN_VERSION.join('.')} or newer, but this is ${version}; npm run cli uses its own Node.js`;
}
