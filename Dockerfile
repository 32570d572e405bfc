# Three stages work, one ships: `build` compiles, `production-deps` installs what runs, `runtime` holds
# only dist, node_modules and package.json. test/contract/container.e2e-spec.ts keeps these rules.

# The same Node as the node-* packages in package.json, on which the tests run.
FROM node:26.10.0-trixie-slim AS base
WORKDIR /app

FROM base AS build
# The package files alone first: a change in the sources does not install again.
COPY package.json package-lock.json .npmrc ./
# No package needs its install script here, so none gets to run.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY nest-cli.json tsconfig.json .tsconfig.build.json ./
COPY scripts scripts/
COPY migrations migrations/
COPY src src/
# The build reads it from the environment, and /health tells it:
# docker build --build-arg COMMIT=$(git rev-parse HEAD)
ARG COMMIT=
RUN node scripts/build.mjs
# Empty, for its owner: a volume that is mounted there for the first time takes it over.
RUN mkdir /data

FROM base AS production-deps
COPY package.json package-lock.json .npmrc ./
# The optional packages are Node itself, which the image already has.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --omit=optional --ignore-scripts

FROM base AS runtime
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/data
# Keeps the memory of password hashes in one heap (scripts/node-flags.mjs).
ENV MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=268435456
COPY --from=production-deps /app/node_modules node_modules/
COPY --from=build /app/dist dist/
COPY package.json ./
# The log of erasures, which must outlive the container: mount a volume there.
COPY --from=build --chown=1000:1000 /data /data/
# The user `node` of the base image. By number, so that Kubernetes can check `runAsNonRoot`;
# the files above stay root's, so the service cannot change its own code.
USER 1000:1000
EXPOSE 3000
STOPSIGNAL SIGTERM
# Liveness, not readiness: a database that is away is no reason to restart the service.
# A long start period covers migrations.
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --start-interval=1s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 3000) + '/health/live').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Not npm: it would stand between the service and SIGTERM.
CMD ["node", "--enable-source-maps", "--min-semi-space-size=16", "--max-semi-space-size=16", "dist/src/main.js"]
