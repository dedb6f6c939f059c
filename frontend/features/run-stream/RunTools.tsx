import { FileDown, Link as LinkIcon, RotateCcw } from "lucide-react";
import Link from "next/link";
import { memo } from "react";
import { toast } from "sonner";
import { Button } from "@/components/ui/button";
import { IconButton } from "@/components/ui/icon-button";
import { againPath, permanentPath } from "@/lib/address";
import { logUrl } from "@/lib/api";
import { KeysDialog } from "./KeysDialog";
import { StopButton } from "./StopButton";

type Props = { runId: string; active: number; known: boolean; onStop: () => void };

/** What can be done with a run as a whole. */
export const RunTools = memo(({ runId, active, known, onStop }: Props) => {
  const copyLink = () =>
    navigator.clipboard
      .writeText(new URL(permanentPath(runId), location.href).href)
      .then(() => toast.success("The run's address is copied."))
      .catch(() => toast.error("The browser did not let this page copy."));
  return (
    <>
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
      {active === 0 && known && (
        <Button asChild size="sm">
          <Link href={againPath(runId)}>
            <RotateCcw aria-hidden />
            Run again
          </Link>
        </Button>
      )}
    </>
  );
});
RunTools.displayName = "RunTools";
