import { Check, Loader, Wrench, X } from "lucide-react";
import type { ToolPart } from "@/lib/parts";
import { Fold } from "./Fold";
import { Value } from "./Value";

const words: Record<ToolPart["status"], string> = {
  writing: "being written",
  working: "working",
  done: "done",
  failed: "failed",
};
const icons = { writing: Loader, working: Loader, done: Check, failed: X };

/** A tool call in one line; its input and output behind it. */
export const ToolRow = ({ part }: { part: ToolPart }) => {
  const Icon = icons[part.status];
  return (
    <Fold
      summary={
        <>
          <Wrench aria-hidden className="size-3.5 shrink-0" />
          <span className="font-medium font-mono text-ink">{part.toolName}</span>
          <span className="min-w-0 flex-1 truncate font-mono">{briefly(part)}</span>
          <Icon
            aria-hidden
            className={part.status === "failed" ? "size-3.5 text-bad" : "size-3.5"}
          />
          <span className={part.status === "failed" ? "text-bad" : ""}>{words[part.status]}</span>
        </>
      }
    >
      <div className="flex flex-col gap-1.5 py-1">
        <Value value={part.input ?? part.inputText} />
        {part.output !== undefined && <Value value={part.output} />}
        {part.errorText !== undefined && <p className="text-bad">{part.errorText}</p>}
      </div>
    </Fold>
  );
};

/** The call's arguments in a few words: their values, without the names. */
function briefly({ input, inputText }: ToolPart): string {
  if (typeof input === "string") return input;
  if (input === null || typeof input !== "object") return inputText;
  return Object.values(input)
    .map((v) => (typeof v === "string" ? v : JSON.stringify(v)))
    .join(" ")
    .slice(0, 160);
}
