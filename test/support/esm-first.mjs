// CommonJS packages (throttler, prometheus) require modules of Nest's ES graph: in Jest that only
// works once the graph has been loaded.
await import('@nestjs/common');
await import('@nestjs/core');
