import type { UpdatedMapping } from "../../../../protocol.ts";
import { UsageError } from "../../../../shared/errors.ts";
import { escapeText } from "../../../../shared/text.ts";
import { defineAction } from "../../../argv.ts";
import { HINTS } from "../../../hints.ts";
import { print, withService } from "../../../invocation.ts";
import { OWNERSHIP_ARGS, ownershipFlags } from "../../../ownership-flags.ts";
import { MAPPING_REF } from "./mapping-argument.ts";

export const updateCommand = defineAction({
  description: "Set the owners of a mapping's fields, and the settings of its connector",
  args: {
    ref: MAPPING_REF,
    ...OWNERSHIP_ARGS,
    setting: {
      type: "string",
      repeatable: true,
      valueHint: "NAME=VALUE",
      description:
        "Setting of the connector, such as missionFieldId=customfield_10042; NAME= removes one; repeatable",
    },
  },
  run: async (invocation, args) => {
    const settings = settingsOf(args.setting);
    const { mode, fieldOwners, conflictStrategy } = ownershipFlags(args);
    if (mode === null && settings === null) {
      throw new UsageError("--doctrine-mode or --setting is missing.", {
        hint: HINTS.example("host mappings update"),
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
      service.call("updateMapping", { binding_ref: args.ref, ...update }),
    );
    await print(invocation, updated, () => renderMapping(updated));
  },
});

/**
 * Parses `name=value` and `name.member=value` into an object to merge. An empty value becomes null, which
 * removes the setting.
 *
 * @throws UsageError for any other text
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
