"use client";

import { SlidersHorizontal, X } from "lucide-react";
import { useState } from "react";
import { NumberBadge } from "@/components/agents/NumberBadge";
import { Field } from "@/components/ui/field";
import { IconButton } from "@/components/ui/icon-button";
import { Input, Textarea } from "@/components/ui/input";
import { numberOf } from "@/lib/agents";
import type { Info } from "@/lib/run";
import type { VariationDraft } from "./draft";
import { ModelInput } from "./ModelInput";

type Props = {
  row: VariationDraft;
  index: number;
  info?: Info;
  fault?: string;
  onChange: (change: Partial<VariationDraft>) => void;
  onRemove?: () => void;
};

/** One variation: its model in sight, temperature and instructions behind the sliders. */
export const VariationRow = ({ row, index, info, fault, onChange, onRemove }: Props) => {
  const [open, setOpen] = useState(false);
  const id = `variation-${row.key}`;
  const number = numberOf(index);
  const shown = open || fault !== undefined;
  const said = [row.temperature && `temperature ${row.temperature}`, row.instructions]
    .filter(Boolean)
    .join(" · ");
  return (
    <li className="flex flex-col gap-2">
      <div className="flex items-center gap-2">
        <NumberBadge index={index} />
        <ModelInput
          id={`${id}-model`}
          label={`Model of variation ${number}`}
          value={row.model}
          fallback={info?.default_model ?? "default model"}
          models={info?.models ?? []}
          onChange={(model) => onChange({ model })}
        />
        {!shown && said && (
          <span className="hidden max-w-56 truncate text-caption text-ink-soft sm:inline">
            {said}
          </span>
        )}
        <IconButton
          label={`Temperature and instructions of variation ${number}`}
          aria-expanded={shown}
          onClick={() => setOpen(!open)}
        >
          <SlidersHorizontal />
        </IconButton>
        <IconButton label={`Remove variation ${number}`} disabled={!onRemove} onClick={onRemove}>
          <X />
        </IconButton>
      </div>
      {shown && (
        <div className="grid gap-2 pl-7 sm:grid-cols-[7rem_1fr] sm:pr-16">
          <Field label="Temperature" htmlFor={`${id}-heat`} error={fault}>
            <Input
              id={`${id}-heat`}
              inputMode="decimal"
              placeholder="default"
              value={row.temperature}
              aria-invalid={fault !== undefined}
              onChange={(e) => onChange({ temperature: e.target.value })}
              className="h-8"
            />
          </Field>
          <Field label="Instructions" htmlFor={`${id}-how`}>
            <Textarea
              id={`${id}-how`}
              rows={1}
              placeholder="How this one should go about it"
              value={row.instructions}
              onChange={(e) => onChange({ instructions: e.target.value })}
              className="py-1.5"
            />
          </Field>
        </div>
      )}
    </li>
  );
};
