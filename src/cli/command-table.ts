import { auditCommands } from './commands/audit.command.js';
import { exportCommand } from './commands/export.command.js';
import { importCommand } from './commands/import.command.js';
import { jobCommands } from './commands/jobs.command.js';
import { loginCommands } from './commands/login.command.js';
import { roleCommands } from './commands/roles.command.js';
import { sessionCommands } from './commands/sessions.command.js';
import { userCommands } from './commands/users.command.js';
import { verifyCommand } from './commands/verify.command.js';
import type { Command } from './command-line/command.types.js';

/** All commands, in the order of the help. */
export const commands: readonly Command[] = [
  ...loginCommands,
  ...userCommands,
  importCommand,
  exportCommand,
  ...sessionCommands,
  ...roleCommands,
  ...auditCommands,
  verifyCommand,
  ...jobCommands,
];
