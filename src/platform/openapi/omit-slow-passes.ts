type Path = readonly string[];

/** The part of Swagger UI's system that this plugin uses. */
interface System {
  readonly specSelectors: {
    readonly specStr: () => string;
    readonly specJson: () => { getIn(path: Path): unknown };
  };
  readonly specActions: {
    readonly updateJsonSpec: (document: unknown) => unknown;
    readonly updateResolvedSubtree: (path: Path, value: unknown) => unknown;
  };
}

/**
 * A plugin of Swagger UI that omits two passes over the document. They keep the page busy for two seconds after it has
 * shown the routes, and it answers no click meanwhile. Runs in the browser, where nothing else of this module exists.
 */
export function omitSlowPasses() {
  return {
    statePlugins: {
      spec: {
        wrapActions: {
          // Swagger UI would read the document as YAML.
          parseToJson:
            (_: unknown, { specSelectors, specActions }: System) =>
            (text = specSelectors.specStr()) =>
              specActions.updateJsonSpec(JSON.parse(text)),
          // It would resolve the whole document to find the security schemes, which contain no reference.
          requestResolvedSubtree:
            (resolve: (path: Path) => unknown, { specSelectors, specActions }: System) =>
            (path: Path) =>
              path.join('.') === 'components.securitySchemes'
                ? specActions.updateResolvedSubtree(path, specSelectors.specJson().getIn(path))
                : resolve(path),
        },
      },
    },
  };
}
