"use client";

import { useSearchParams } from "next/navigation";
import { Notice } from "@/components/ui/notice";
import { Words } from "@/components/ui/words";
import { useInfo } from "@/hooks/useInfo";
import { ComposerFooter } from "./ComposerFooter";
import { PromptInput } from "./PromptInput";
import { useCompose } from "./useCompose";
import { Variations } from "./Variations";
import { Where } from "./Where";

/** One prompt, one repository, one to five agents. */
export const Composer = () => {
  const info = useInfo();
  const from = useSearchParams().get("from") ?? undefined;
  const { draft, setDraft, faults, run, pending, error } = useCompose(info.data, from);
  return (
    <form
      className="flex flex-col gap-4 rounded-xl border bg-card p-4 shadow-xs"
      onSubmit={(e) => {
        e.preventDefault();
        run();
      }}
    >
      <PromptInput draft={draft} fault={faults.prompt} onChange={setDraft} onRun={run} />
      <Where draft={draft} faults={faults} local={info.data?.local ?? false} onChange={setDraft} />
      <Variations draft={draft} faults={faults} info={info.data} onChange={setDraft} />
      {info.data?.note && draft.mode === "analyze" && (
        <Notice>
          <Words text={info.data.note} />
        </Notice>
      )}
      {error && <Notice tone="bad">{error.message}</Notice>}
      {info.error && (
        <Notice tone="wait">
          <Words text={info.error.message} />
        </Notice>
      )}
      <ComposerFooter draft={draft} info={info.data} pending={pending} onChange={setDraft} />
    </form>
  );
};
