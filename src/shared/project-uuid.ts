/**
 * The UUID that every clone of a repository derives alike over any protocol: a UUIDv5 in the URL namespace.
 *
 * @param host web host of the remote
 * @param path `owner/repo`
 * @param folder the project's folder in the repository, with slashes; empty at its root
 */
export function projectUuid(host: string, path: string, folder = ""): string {
  const url = `https://${host}/${path}`.toLowerCase();
  return Bun.randomUUIDv5(folder === "" ? url : `${url}#${folder}`, "url");
}
