/** Passes on what Node.js and its packages warn of, which would else be lines of no log on standard error. */
export function passOnProcessWarnings(warn: (message: string) => void): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => warn(`${name}: ${message}`));
}
