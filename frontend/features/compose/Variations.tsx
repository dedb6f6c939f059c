"use client";

import { Button } from "@/components/ui/button";
import { Segmented } from "@/components/ui/segmented";
import { variationNumbers } from "@/lib/agents";
import type { Info } from "@/lib/run";
import { type Draft, type Faults, fiveTemperatures, oneOfEach, withCount, withRow } from "./draft";
import { VariationRow } from "./VariationRow";

type Props = {
  draft: Draft;
  faults: Faults;
  info?: Info;
  onChange: (draft: Draft) => void;
};

/** How many agents get the prompt, and what sets them apart. */
export const Variations = ({ draft, faults, info, onChange }: Props) => {
  const { variations: rows } = draft;
  const models = (info?.models ?? []).filter((name) => !name.endsWith("*"));
  const counts = variationNumbers.slice(0, info?.max_variations);
  const remove = (key: number) =>
    onChange({ ...draft, variations: rows.filter((row) => row.key !== key) });
  return (
    <div className="flex flex-col gap-2.5">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <span className="font-medium text-caption text-ink-soft">Variations</span>
        <Segmented
          label="How many variations"
          value={String(rows.length)}
          onChange={(n) => onChange(withCount(draft, Number(n)))}
          options={counts.map((n) => ({ value: String(n), text: n }))}
        />
        {draft.mode === "analyze" && (
          <>
            <Button size="sm" onClick={() => onChange(fiveTemperatures(draft))}>
              Same model, five temperatures
            </Button>
            {models.length > 1 && (
              <Button size="sm" onClick={() => onChange(oneOfEach(draft, models))}>
                One of each model
              </Button>
            )}
          </>
        )}
      </div>
      {draft.mode === "analyze" && (
        <ul className="flex flex-col gap-2">
          {rows.map((row, index) => (
            <VariationRow
              key={row.key}
              row={row}
              index={index}
              info={info}
              fault={faults.rows[row.key]}
              onChange={(change) => onChange(withRow(draft, row.key, change))}
              onRemove={rows.length > 1 ? () => remove(row.key) : undefined}
            />
          ))}
        </ul>
      )}
    </div>
  );
};
