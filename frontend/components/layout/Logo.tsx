import { agentBar, variationNumbers } from "@/lib/agents";
import { cn } from "@/lib/cn";

const heights = ["h-2", "h-3.5", "h-5", "h-3", "h-2.5"];

/** Five voices, one of them standing out. */
export const Logo = () => (
  <span aria-hidden className="flex h-5 items-end gap-[2px]">
    {variationNumbers.map((n, i) => (
      <span key={n} className={cn("w-[3px] rounded-full", heights[i], agentBar(i))} />
    ))}
  </span>
);
