export function renderProviders(catalog: {
  readonly local: readonly string[];
  readonly saas: readonly string[];
}): string {
  return `Hosted  ${catalog.saas.join(", ")}\nLocal   ${catalog.local.join(", ")}\n`;
}
