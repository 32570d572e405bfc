import type { Job } from '../jobs/job-registry.service.js';
import type { ImportForm } from './import.reader.js';

/** The ways to handle a row whose address exists. */
export const conflictPolicies = ['fail', 'skip', 'update'] as const;
export type ConflictPolicy = (typeof conflictPolicies)[number];

/**
 * The type of import jobs. The number is the version of their staged lines, which instances of the previous
 * release cannot read and therefore never claim. Clients see `users.import`.
 */
export const IMPORT_JOB_TYPE = 'users.import/2';
/** The type of the jobs of the previous release (0.1.0). */
export const FORMER_IMPORT_JOB_TYPE = 'users.import';

/** The parameters of an import job. */
export interface ImportParameters {
  readonly form: ImportForm;
  readonly on_conflict: ConflictPolicy;
}

/** Returns the parameters that the job was created with, or null for a job of the previous release. */
export const parametersOf = ({ type, parameters }: Job): ImportParameters | null =>
  type === IMPORT_JOB_TYPE ? (parameters as unknown as ImportParameters) : null;
