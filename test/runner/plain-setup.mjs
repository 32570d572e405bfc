// Prepares a test file under plain Jest, which gives it its own realm and module registry.

// CommonJS packages require these ES modules, which Jest allows only once the modules have been evaluated.
await import('@nestjs/common');
await import('@nestjs/core');

// Node.js throws errors of another realm, which are no instances of the Error of this one.
const ordinary = Function.prototype[Symbol.hasInstance];
Object.defineProperty(Error, Symbol.hasInstance, {
  value(error) {
    return this === Error ? Error.isError(error) : ordinary.call(this, error);
  },
});
