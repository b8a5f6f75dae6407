import type { Connection } from "../../protocol.ts";
import type { ProviderCredential } from "../../sdk/connectors/credentials.ts";
import type { HostedProvider } from "../../shared/providers.ts";
import type { TeamScope } from "../access/team-scope.ts";
import { invalidRequest } from "../check.ts";
import { discoverAll, store } from "../inventory/inventory.ts";
import type { Background } from "../jobs/background.ts";
import type { Progress } from "../jobs/operations.ts";
import { readConnection } from "./connections.ts";
import { targetOf } from "./credentials.ts";
import { AddressRefusedError } from "./network.ts";
import type { Sources } from "./sources.ts";
import type { Vault } from "./vault.ts";

export interface ConnectTools {
  readonly sources: Sources;
  readonly vault: Vault;
  readonly background: Background;
}

/**
 * Connects a provider. Stores the credential only after discovery works with it. A known connection gets the new
 * credential and a refresh.
 *
 * @param credential Null connects the demo data
 * @throws TrackerSdkError when discovery fails
 * @throws VaultError when the credential cannot be encrypted
 * @throws HostError `invalid_request` when the address may not be reached
 */
export async function connect(
  scope: TeamScope,
  { sources, vault, background }: ConnectTools,
  provider: HostedProvider,
  credential: ProviderCredential | null,
  onProgress?: Progress,
): Promise<Connection> {
  const source = await sources.open(provider, credential).catch((error: unknown) => {
    throw error instanceof AddressRefusedError ? invalidRequest({ base_url: error.message }) : error;
  });
  const target = await background.interruptible(targetOf(credential, () => source.account()));
  const found = await background.interruptible(discoverAll(source, onProgress));
  const keyring = credential === null ? null : await vault.keyring();
  const kind = credential?.kind ?? "demo";
  return scope.transaction(async (transaction) => {
    const known = await transaction
      .connections()
      .select("id")
      .where("provider", "=", provider)
      .where("kind", "=", kind)
      .where("target", "=", target)
      .executeTakeFirst();
    const id = known?.id ?? transaction.newId();
    const place = { teamId: transaction.teamId, connectionId: id };
    const secret = keyring === null ? null : keyring.seal(JSON.stringify(credential), place);
    const access = { base_url: credential?.baseUrl ?? null, secret, removed_at: null };
    if (known === undefined) {
      const at = transaction.timestamp();
      await transaction
        .insertConnection({
          id,
          provider,
          kind,
          target,
          ...access,
          account_label: "",
          status: "connected",
          error: null,
          resource_count: 0,
          last_refreshed_at: null,
          created_at: at,
          updated_at: at,
        })
        .execute();
    } else {
      await transaction.updateConnection(id).set(access).execute();
    }
    await store(transaction, { id, provider, kind }, found);
    await transaction.audit("connection.connected", id, { provider, kind });
    return readConnection(transaction, id);
  });
}
