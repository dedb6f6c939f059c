import {
  Check,
  CircleDashed,
  CircleSlash,
  Hourglass,
  type LucideIcon,
  OctagonX,
  TriangleAlert,
} from "lucide-react";
import { cn } from "@/lib/cn";
import type { Tone } from "@/lib/state";

const looks: Record<Tone, { style: string; Icon: LucideIcon }> = {
  waiting: { style: "text-wait", Icon: Hourglass },
  working: { style: "text-live", Icon: CircleDashed },
  good: { style: "text-good", Icon: Check },
  bad: { style: "text-bad", Icon: TriangleAlert },
  stopped: { style: "text-ink-soft", Icon: CircleSlash },
};

type Props = { word: string; tone: Tone; className?: string };

/** A state as icon, word and colour: any one of the three is enough. */
export const StateBadge = ({ word, tone, className }: Props) => {
  const { style, Icon } = looks[tone];
  const Shown = word === "Refused" ? OctagonX : Icon;
  return (
    <span
      className={cn(
        "inline-flex items-center gap-1 font-medium text-caption whitespace-nowrap",
        style,
        className,
      )}
    >
      {tone === "working" ? (
        <span aria-hidden className="mx-0.5 size-2 animate-pulse-dot rounded-full bg-live" />
      ) : (
        <Shown aria-hidden className="size-3.5" />
      )}
      {word}
    </span>
  );
};
