/** The master key of every instance that a test starts: 32 bytes that encrypt only test data. */
export const MASTER_KEY = 'LPv7oXq0rYGdM1bE3fCk9wJ5sT2uZ8hN6aKxQyVtR4I=';
