export const HORIZON_LAG = 'horizon_lag_seconds';
