"use client";

import { useState } from "react";
import { StreamGrid } from "@/components/agents/StreamGrid";
import { useAgentStream } from "@/hooks/useAgentStream";
import { describeRun } from "@/lib/state";
import { Announcer } from "./Announcer";
import { RunHeader } from "./RunHeader";
import { RunNotices } from "./RunNotices";
import { useCards } from "./useCards";
import { useCommands } from "./useCommands";
import { useFocusKeys } from "./useFocusKeys";
import { useRunDetail } from "./useRunDetail";

/** One run, live or past: the same page, the same stream. */
export const RunView = ({ runId }: { runId: string }) => {
  const { run, connection, reopen } = useAgentStream(runId);
  const followed = { run, connection };
  const detail = useRunDetail(runId, followed, reopen);
  const cards = useCards(run, detail?.queue);
  const [focus, setFocus] = useState<number>();
  const { actions, stop } = useCommands(runId, setFocus);
  useFocusKeys(cards.length, setFocus);
  const state = run.summary ? `${describeRun(run.summary).word} · ` : "";
  return (
    <main className="flex min-h-0 flex-1 flex-col gap-3 px-4 py-3 md:h-[calc(100dvh-3rem)] md:overflow-y-auto">
      <title>{`${state}${run.spec?.prompt.slice(0, 60) ?? runId} · AIdeator`}</title>
      <RunHeader runId={runId} followed={followed} cards={cards} onStop={stop} />
      <RunNotices followed={followed} onTryAgain={reopen} />
      <StreamGrid cards={cards} actions={actions} focus={focus} caughtUp={run.caughtUp} />
      <Announcer cards={cards} caughtUp={run.caughtUp} />
    </main>
  );
};
