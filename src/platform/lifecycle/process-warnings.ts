/**
 * Forwards warnings of Node.js and its packages, which would otherwise be unformatted lines on standard
 * error.
 */
export function passOnProcessWarnings(warn: (message: string) => void): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => warn(`${name}: ${message}`));
}
