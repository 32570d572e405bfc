import { execFileSync } from 'node:child_process';
import { type Browser, launch } from 'puppeteer-core';

/** The name of the program in Debian. */
const PROGRAM = 'chromium';

/** The reason why this machine has no Chromium; null when it has one. */
export const noChromium = ((): string | null => {
  try {
    execFileSync(PROGRAM, ['--version'], { stdio: 'ignore' });
    return null;
  } catch (error) {
    return `chromium cannot be run (${String(error)}): .ci/run installs it, as does "apt-get install chromium"`;
  }
})();

/** Starts a real Chromium without a window. */
export function launchBrowser(): Promise<Browser> {
  const executablePath = execFileSync('which', [PROGRAM], { encoding: 'utf8' }).trim();
  return launch({
    executablePath,
    // Chromium refuses its sandbox to root, which containers run as. It only opens pages of this test.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    defaultViewport: { width: 1280, height: 900 },
  });
}
