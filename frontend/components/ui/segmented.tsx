"use client";

import { ToggleGroup } from "radix-ui";
import type { ReactNode } from "react";

type Props<T extends string> = {
  label: string;
  value: T;
  onChange: (value: T) => void;
  options: readonly { value: T; text: ReactNode; label?: string }[];
};

/** One of a few, all of them in sight. */
export const Segmented = <T extends string>({ label, value, onChange, options }: Props<T>) => (
  <ToggleGroup.Root
    type="single"
    aria-label={label}
    value={value}
    onValueChange={(next) => next && onChange(next as T)}
    className="inline-flex h-9 items-center rounded-md border border-line-strong/60 bg-card p-0.5"
  >
    {options.map((option) => (
      <ToggleGroup.Item
        key={option.value}
        value={option.value}
        aria-label={option.label}
        className="h-full min-w-9 rounded px-2.5 text-ink-soft transition-colors hover:text-ink data-[state=on]:bg-brand-tint data-[state=on]:font-semibold data-[state=on]:text-brand-ink"
      >
        {option.text}
      </ToggleGroup.Item>
    ))}
  </ToggleGroup.Root>
);
