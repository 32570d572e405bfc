import type { Policy } from '../../common/authorization/policy.decorator.js';

/** Says in words who may call a route. */
export function describeAccess(policy: Policy | undefined): string {
  if (!policy) return 'Closed.';
  switch (policy.kind) {
    case 'public':
      return 'Open to everyone.';
    case 'signed-in':
      return 'For every signed-in user.';
    case 'permission':
      return `Requires \`${policy.permission}\`.`;
    case 'one-of':
      return `Requires one of ${policy.permissions.map((each) => `\`${each}\``).join(', ')}, depending on the request.`;
    case 'all-of':
      return `Requires ${policy.permissions.map((each) => `\`${each}\``).join(' and ')}.`;
    default:
      return `For the user itself, and for holders of \`${policy.permission}\`. Others get 404.`;
  }
}
