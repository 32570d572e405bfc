/** The part of Swagger UI's page that this function uses. */
declare const window: {
  readonly location: { readonly origin: string };
  readonly ui: {
    readonly specSelectors: { specJson(): { getIn(path: readonly (string | number)[]): string } };
    readonly oas3Actions: { setSelectedServer(url: string): void };
  };
};

/**
 * Selects the second server, which is the page's own origin, when the page was opened under another origin than
 * `PUBLIC_URL`, because a browser would refuse its requests to the first one. Runs in the browser, where nothing else of
 * this module exists.
 */
export function chooseOwnServer(): void {
  const servers = window.ui.specSelectors.specJson();
  const { origin } = new URL(servers.getIn(['servers', 0, 'url']));
  if (origin !== window.location.origin)
    window.ui.oas3Actions.setSelectedServer(servers.getIn(['servers', 1, 'url']));
}
