import { formatCount } from "@/lib/format";
import type { TextPart } from "@/lib/parts";
import { Fold } from "./Fold";

type Props = { part: TextPart; writing: boolean; answered: boolean };

/** What the model thought: open while it thinks, folded once the answer starts. */
export const Thinking = ({ part, writing, answered }: Props) => (
  <Fold
    open={!answered}
    summary={
      <span className="inline-flex items-center">
        {writing && (
          <span aria-hidden className="mr-1.5 size-2 animate-pulse-dot rounded-full bg-live" />
        )}
        {writing ? "Thinking…" : "Thought"}
        <span className="ml-2 tabular-nums">{formatCount(part.text.length)} characters</span>
      </span>
    }
  >
    <p className="whitespace-pre-wrap break-words text-caption text-ink-soft leading-5">
      {part.text}
    </p>
  </Fold>
);
