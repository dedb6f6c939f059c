import { memo } from "react";
import type { Part } from "@/lib/parts";
import { Fold } from "./Fold";
import { LogRow } from "./LogRow";
import { gapWords, Mark } from "./Mark";
import { TextView } from "./TextView";
import { Thinking } from "./Thinking";
import { ToolRow } from "./ToolRow";
import { Value } from "./Value";

type Props = {
  part: Part;
  /** The attempt still goes on, so an unfinished part is being written. */
  open: boolean;
  /** Something of the answer stands after this part. */
  answered: boolean;
  raw: boolean;
};

export const PartView = memo(({ part, open, answered, raw }: Props) => {
  switch (part.kind) {
    case "text":
      return <TextView part={part} writing={open && !part.done} raw={raw} />;
    case "reasoning":
      return <Thinking part={part} writing={open && !part.done} answered={answered} />;
    case "tool":
      return <ToolRow part={part} />;
    case "log":
      return <LogRow part={part} />;
    case "gap":
      return <Mark tone="wait">{gapWords(part.missing, part.reason)}</Mark>;
    case "reset":
      return (
        <>
          <Mark tone="soft">Began again{part.reason ? `: ${part.reason}` : ""}</Mark>
          {part.text && (
            <Fold summary="What it had written before">
              <p className="whitespace-pre-wrap text-caption text-ink-soft">{part.text}</p>
            </Fold>
          )}
        </>
      );
    case "data":
      return (
        <Fold summary={part.name.replace("data-", "").replace(/^./, (c) => c.toUpperCase())}>
          <Value value={part.data} />
        </Fold>
      );
    case "unknown":
      return (
        <Fold summary={<span className="font-mono">{part.event.type}</span>}>
          <Value value={part.event} />
        </Fold>
      );
  }
});
PartView.displayName = "PartView";
