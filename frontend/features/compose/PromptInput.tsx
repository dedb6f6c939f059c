"use client";

import { Field } from "@/components/ui/field";
import { Textarea } from "@/components/ui/input";
import { cn } from "@/lib/cn";
import type { Draft } from "./draft";

type Props = {
  draft: Draft;
  fault?: string;
  onChange: (draft: Draft) => void;
  onRun: () => void;
};

/** Grows with what is typed; ⌘ or Ctrl + Enter runs. */
export const PromptInput = ({ draft, fault, onChange, onRun }: Props) => {
  const exec = draft.mode === "exec";
  return (
    <Field label={exec ? "Command" : "Prompt"} htmlFor="prompt" error={fault}>
      <Textarea
        id="prompt"
        autoFocus
        rows={3}
        value={draft.prompt}
        placeholder={
          exec ? "cargo test --workspace" : "What should the agents find out about the repository?"
        }
        spellCheck={!exec}
        aria-invalid={fault !== undefined}
        aria-describedby={fault ? "prompt-error" : undefined}
        onChange={(e) => onChange({ ...draft, prompt: e.target.value })}
        onKeyDown={(e) => {
          if (e.key !== "Enter" || !(e.metaKey || e.ctrlKey)) return;
          e.preventDefault();
          onRun();
        }}
        className={cn("max-h-[50dvh] min-h-22 text-body", exec && "font-mono text-small")}
      />
    </Field>
  );
};
