import { Trophy } from "lucide-react";
import { memo } from "react";
import { numberOf } from "@/lib/agents";
import { describe } from "@/lib/state";
import { NumberBadge } from "./NumberBadge";
import { StateBadge } from "./StateBadge";

type Props = {
  index: number;
  model: string;
  state?: string;
  attempt?: number;
  picked: boolean;
  traits?: string;
};

/** Which variation it is and how it is doing. Draws only when one of these words changes. */
export const CardTitle = memo(({ index, model, state, attempt, picked, traits }: Props) => (
  <>
    <NumberBadge index={index} />
    <div className="min-w-0 flex-1">
      <h2 className="truncate font-medium font-mono text-[13px] leading-5" title={model}>
        <span className="sr-only">Variation {numberOf(index)}: </span>
        {model}
      </h2>
      <div className="flex items-center gap-2">
        <StateBadge {...describe(state ?? "queued")} />
        {attempt !== undefined && attempt > 1 && (
          <span className="text-caption text-ink-soft">attempt {attempt}</span>
        )}
        {picked && (
          <span className="inline-flex items-center gap-1 rounded bg-brand-tint px-1.5 font-semibold text-brand-ink text-caption">
            <Trophy aria-hidden className="size-3" />
            Picked
          </span>
        )}
        {traits && (
          <span className="truncate text-caption text-ink-soft" title={traits}>
            {traits}
          </span>
        )}
      </div>
    </div>
  </>
));
CardTitle.displayName = "CardTitle";
