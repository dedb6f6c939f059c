import { agentBar, agentEdge, numberOf } from "@/lib/agents";
import { cn } from "@/lib/cn";
import type { VariationSummary } from "@/lib/run";
import { describe } from "@/lib/state";

type Props = { variations: readonly VariationSummary[]; pick?: number };

/** A mark for each variation: filled when it did well, framed while at work. */
export const VariationDots = ({ variations, pick }: Props) => (
  <span className="flex shrink-0 items-center gap-1">
    {variations.map((v, index) => {
      const { word, tone } = describe(v.state);
      const number = numberOf(index);
      return (
        <span
          key={number}
          title={`Variation ${number}: ${word}${pick === index ? ", picked" : ""}`}
          className={cn(
            "grid size-4 place-items-center rounded-[3px] font-mono font-semibold text-[10px] leading-none",
            tone === "good" && cn("text-on-agent", agentBar(index)),
            tone === "working" && cn("border-2", agentEdge(index)),
            (tone === "waiting" || tone === "stopped") &&
              "border border-line-strong border-dashed text-ink-soft",
            tone === "bad" && "border border-bad text-bad line-through",
            pick === index && "ring-2 ring-brand-ink ring-offset-1 ring-offset-card",
          )}
        >
          {number}
        </span>
      );
    })}
  </span>
);
