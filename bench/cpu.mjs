import { readFileSync } from 'node:fs';

/** Clock ticks per second in /proc, a constant on Linux. */
const TICKS = 100;

/** Returns the CPU seconds that a process has used so far, in user mode and in the kernel. */
export function cpuSecondsOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}
