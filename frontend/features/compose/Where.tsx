"use client";

import { useEffect, useState } from "react";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { recentRepos } from "@/lib/storage";
import type { Draft, Faults } from "./draft";

type Props = {
  draft: Draft;
  faults: Faults;
  local: boolean;
  onChange: (draft: Draft) => void;
};

/** The repository, the ref, and how long it may take. */
export const Where = ({ draft, faults, local, onChange }: Props) => {
  const [recent, setRecent] = useState<string[]>([]);
  useEffect(() => setRecent(recentRepos()), []);
  const set = (change: Partial<Draft>) => onChange({ ...draft, ...change });
  return (
    <div className="grid gap-3 grid-cols-2 sm:grid-cols-[1fr_10rem_7rem]">
      <Field label="Repository" htmlFor="repo" className="col-span-2 sm:col-span-1">
        <Input
          id="repo"
          list="recent-repositories"
          spellCheck={false}
          placeholder={local ? "https://… or an absolute path (optional)" : "https://… (optional)"}
          value={draft.repo}
          onChange={(e) => set({ repo: e.target.value })}
        />
        <datalist id="recent-repositories">
          {recent.map((repo) => (
            <option key={repo} value={repo} />
          ))}
        </datalist>
      </Field>
      <Field label="Branch, tag or commit" htmlFor="ref">
        <Input
          id="ref"
          spellCheck={false}
          placeholder="default"
          value={draft.ref}
          onChange={(e) => set({ ref: e.target.value })}
        />
      </Field>
      <Field label="Minutes at most" htmlFor="minutes" error={faults.minutes}>
        <Input
          id="minutes"
          inputMode="numeric"
          placeholder="30"
          value={draft.minutes}
          aria-invalid={faults.minutes !== undefined}
          onChange={(e) => set({ minutes: e.target.value })}
        />
      </Field>
    </div>
  );
};
