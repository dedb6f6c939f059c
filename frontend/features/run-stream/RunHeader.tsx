import type { CardModel } from "@/components/agents/card";
import type { Followed } from "@/lib/runStore";
import { ConnectionBadge } from "./ConnectionBadge";
import { Prompt } from "./Prompt";
import { RunFacts } from "./RunFacts";
import { RunTools } from "./RunTools";

type Props = { runId: string; followed: Followed; cards: readonly CardModel[]; onStop: () => void };

export const RunHeader = ({ runId, followed: { run, connection }, cards, onStop }: Props) => {
  const active = run.summary ? cards.filter((card) => card.active).length : 0;
  const known = run.spec !== undefined;
  return (
    <div className="flex flex-col gap-2">
      <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-2">
        <Prompt text={run.spec?.prompt ?? `Run ${runId}`} mono={run.spec?.mode === "exec"} />
        <div className="flex items-center gap-1">
          <ConnectionBadge connection={connection} />
          <RunTools runId={runId} active={active} known={known} onStop={onStop} />
        </div>
      </div>
      <RunFacts run={run} cards={cards} />
    </div>
  );
};
