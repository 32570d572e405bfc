import type { Group } from '../step.types.js';
import { cast } from './cast.js';
import { exports, history, jobs, lists } from './collections.js';
import { bodies, crossOrigin, headers, pages, paths } from './edge.js';
import { denials, faults, firstReads, methods } from './every-operation.js';
import { callers, sessions } from './identity.js';
import { conditions, resources } from './records.js';
import { failures, limits, production, stopping } from './strict.js';
import { wire } from './wire.js';

/** All groups in the order in which they run. Later ones use what earlier ones captured. */
export const groups: readonly Group[] = [
  cast,
  firstReads,
  denials,
  faults,
  methods,
  callers,
  sessions,
  conditions,
  resources,
  lists,
  history,
  jobs,
  exports,
  pages,
  paths,
  headers,
  crossOrigin,
  bodies,
  wire,
  limits,
  production,
  failures,
  stopping,
];
