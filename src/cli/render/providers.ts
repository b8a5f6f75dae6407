export function renderProviders(catalog: {
  readonly local: readonly string[];
  readonly saas: readonly string[];
}): string {
  return `Hosted     ${catalog.saas.join(", ")}\nOn-device  ${catalog.local.join(", ")}\n`;
}
