import { agentBar, numberOf } from "@/lib/agents";
import { cn } from "@/lib/cn";

type Props = { index: number; className?: string };

/** The variation's number on its colour. */
export const NumberBadge = ({ index, className }: Props) => (
  <span
    className={cn(
      "inline-grid size-5 shrink-0 place-items-center rounded font-mono font-semibold text-caption text-on-agent",
      agentBar(index),
      className,
    )}
  >
    {numberOf(index)}
  </span>
);
