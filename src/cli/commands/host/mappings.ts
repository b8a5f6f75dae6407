import { defineCommand } from "citty";
import type { UpdatedMapping } from "../../../service.ts";
import { UsageError } from "../../../shared/errors.ts";
import { escapeText } from "../../../shared/text.ts";
import { valuesOf } from "../../input.ts";
import { type Invocation, print, required, withService } from "../../invocation.ts";
import { DOCTRINE_ARGS, doctrineFlags } from "../../ownership-flags.ts";

/** `tracker host mappings` */
export function mappingsCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "mappings", description: "Manage mappings; `tracker map list` shows them" },
    subCommands: {
      update: () => updateCommand(invocation),
      delete: () => deleteCommand(invocation),
    },
  });
}

function deleteCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "delete", description: "Delete a mapping, so that its project can be bound anew" },
    args: {
      ref: { type: "positional", required: false, description: "Binding reference, as `map list` shows it" },
    },
    run: async ({ args }) => {
      const bindingRef = required("The binding reference", args.ref, "tracker host mappings delete srm_…");
      await withService(invocation, (service) => service.call("deleteMapping", { binding_ref: bindingRef }));
      await print(invocation, { deleted: bindingRef }, () => `Deleted ${escapeText(bindingRef)}\n`);
    },
  });
}

function updateCommand(invocation: Invocation) {
  const args = {
    ref: { type: "positional", required: false, description: "Binding reference, as `map list` shows it" },
    ...DOCTRINE_ARGS,
    setting: {
      type: "string",
      valueHint: "NAME=VALUE",
      description:
        "Setting of the connector, such as missionFieldId=customfield_10042; NAME= removes one; repeatable",
    },
  } as const;
  return defineCommand({
    meta: {
      name: "update",
      description: "Decide who owns which field of a mapping's issues, and how its connector works",
    },
    args,
    run: async ({ args, rawArgs }) => {
      const example = "tracker host mappings update srm_… --doctrine-mode split_ownership";
      const bindingRef = required("The binding reference", args.ref, example);
      const settings = settingsOf(valuesOf("setting", rawArgs));
      const { mode, fieldOwners, conflictStrategy } = doctrineFlags(args, rawArgs);
      if (mode === null && settings === null) {
        throw new UsageError("There is nothing to change: give --doctrine-mode or --setting.", {
          hint: `For example: ${example}`,
        });
      }
      const update = {
        ...(mode !== null && {
          doctrine: {
            mode,
            field_owners: fieldOwners,
            ...(conflictStrategy !== null && { conflict_strategy: conflictStrategy }),
          },
        }),
        ...(settings !== null && { connector_settings: settings }),
      };
      const updated = await withService(invocation, (service) =>
        service.call("updateMapping", { binding_ref: bindingRef, ...update }),
      );
      await print(invocation, updated, () => renderMapping(updated));
    },
  });
}

/**
 * `name=value` and `name.member=value` as an object to merge; null for what is to be removed.
 *
 * @throws UsageError for anything else
 */
function settingsOf(values: readonly string[]): Record<string, unknown> | null {
  if (values.length === 0) return null;
  const settings = new Map<string, string | null>();
  const members = new Map<string, Record<string, string | null>>();
  for (const text of values) {
    const [, name, member, value] = /^(\w+)(?:\.(\w+))?=(.*)$/s.exec(text) ?? [];
    if (name === undefined) throw new UsageError(`--setting takes name=value, not "${text}".`);
    const given = value === undefined || value === "" ? null : value;
    if (member === undefined) settings.set(name, given);
    else members.set(name, { ...members.get(name), [member]: given });
  }
  return Object.fromEntries<unknown>([...settings, ...members]);
}

function renderMapping({ display_label, binding_ref, doctrine, connector_settings }: UpdatedMapping): string {
  const { mode, field_owners, conflict_strategy: strategy } = doctrine;
  const facts = [
    mode,
    ...Object.entries(field_owners).map(([field, owner]) => `${field}: ${owner}`),
    ...(strategy === undefined ? [] : [`conflicts: ${strategy}`]),
    ...Object.entries(connector_settings).map(([name, value]) => `${name}: ${settingText(value)}`),
  ];
  return escapeText(`${display_label ?? binding_ref}: ${facts.join(", ")}`).concat("\n");
}

function settingText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
