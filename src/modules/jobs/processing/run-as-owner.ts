import type { Principal } from '../../../common/authorization/principal.types.js';
import { requestContext } from '../../../common/context/request-context.js';
import type { Job } from '../job-registry.service.js';

/** The time limit of one attempt in ms. Shorter than the transaction time limit of the database. */
const ATTEMPT_LIMIT_MS = 20_000;

/**
 * Makes an attempt at a part of the job as its owner, who is null once the owner may no longer act. Audit entries
 * name the owner as actor and the job as request id.
 */
export function runAsOwner<T>(
  { id }: Job,
  owner: Principal | null,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  return requestContext.run(
    {
      requestId: id,
      traceId: null,
      origin: null,
      signal: AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_LIMIT_MS)]),
      caller: { principal: owner, refusal: null },
    },
    attempt,
  );
}
