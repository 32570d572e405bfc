export const sessionEventTypes = {
  started: 'session.started',
  revoked: 'session.revoked',
  reuseDetected: 'session.reuse_detected',
} as const;
