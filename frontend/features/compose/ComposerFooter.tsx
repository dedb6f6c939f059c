"use client";

import { LoaderCircle, Play } from "lucide-react";
import { Button } from "@/components/ui/button";
import { Segmented } from "@/components/ui/segmented";
import { plural } from "@/lib/format";
import type { Info } from "@/lib/run";
import type { Draft } from "./draft";

type Props = {
  draft: Draft;
  info?: Info;
  pending: boolean;
  onChange: (draft: Draft) => void;
};

const modes = [
  { value: "analyze", text: "Analyze" },
  { value: "exec", text: "Run a command" },
] as const;

export const ComposerFooter = ({ draft, info, pending, onChange }: Props) => (
  <div className="flex flex-wrap items-center justify-between gap-3">
    {info?.allow_exec ? (
      <Segmented
        label="What the agents do"
        value={draft.mode}
        onChange={(mode) => onChange({ ...draft, mode })}
        options={modes}
      />
    ) : (
      <p className="text-caption text-ink-soft">The agents read the repository and answer.</p>
    )}
    <div className="ml-auto flex items-center gap-3">
      <span className="hidden text-caption text-ink-soft sm:inline">
        <kbd className="font-mono">⌘</kbd> or <kbd className="font-mono">Ctrl</kbd> +{" "}
        <kbd className="font-mono">Enter</kbd>
      </span>
      <Button type="submit" look="primary" disabled={pending}>
        {pending ? <LoaderCircle aria-hidden className="animate-spin" /> : <Play aria-hidden />}
        Run {plural(draft.variations.length, "variation")}
      </Button>
    </div>
  </div>
);
