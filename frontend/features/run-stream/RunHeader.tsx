import { FileDown, Link as LinkIcon, RotateCcw } from "lucide-react";
import Link from "next/link";
import { toast } from "sonner";
import type { CardModel } from "@/components/agents/card";
import { Button } from "@/components/ui/button";
import { IconButton } from "@/components/ui/icon-button";
import { againPath, permanentPath } from "@/lib/address";
import { logUrl } from "@/lib/api";
import type { Followed } from "@/lib/runStore";
import { ConnectionBadge } from "./ConnectionBadge";
import { KeysDialog } from "./KeysDialog";
import { Prompt } from "./Prompt";
import { RunFacts } from "./RunFacts";
import { StopButton } from "./StopButton";

type Props = { runId: string; followed: Followed; cards: readonly CardModel[]; onStop: () => void };

export const RunHeader = ({ runId, followed: { run, connection }, cards, onStop }: Props) => {
  const active = run.summary ? cards.filter((card) => card.active).length : 0;
  const copyLink = () =>
    navigator.clipboard
      .writeText(new URL(permanentPath(runId), location.href).href)
      .then(() => toast.success("The run's address is copied."))
      .catch(() => toast.error("The browser did not let this page copy."));
  return (
    <div className="flex flex-col gap-2">
      <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-2">
        <Prompt text={run.spec?.prompt ?? `Run ${runId}`} mono={run.spec?.mode === "exec"} />
        <div className="flex items-center gap-1">
          <ConnectionBadge connection={connection} />
          <IconButton label="Copy the run's address" onClick={copyLink}>
            <LinkIcon />
          </IconButton>
          <IconButton label="Everything as NDJSON" asChild>
            <a href={logUrl(runId)} target="_blank" rel="noopener">
              <FileDown />
            </a>
          </IconButton>
          <KeysDialog />
          {active > 0 && <StopButton active={active} onStop={onStop} />}
          {active === 0 && run.spec && (
            <Button asChild size="sm">
              <Link href={againPath(runId)}>
                <RotateCcw aria-hidden />
                Run again
              </Link>
            </Button>
          )}
        </div>
      </div>
      <RunFacts run={run} cards={cards} />
    </div>
  );
};
