import { CircleX, Info, TriangleAlert } from "lucide-react";
import { cn } from "@/lib/cn";
import type { LogPart } from "@/lib/parts";

const looks = {
  info: { Icon: Info, style: "text-ink-soft", name: "" },
  warn: { Icon: TriangleAlert, style: "text-wait", name: "Warning: " },
  error: { Icon: CircleX, style: "text-bad", name: "Error: " },
};

/** A line about the work, not part of the answer. */
export const LogRow = ({ part }: { part: LogPart }) => {
  const { Icon, style, name } = looks[part.level];
  return (
    <p className={cn("flex items-start gap-1.5 px-1 text-caption", style)}>
      <Icon aria-hidden className="mt-[2px] size-3.5 shrink-0" />
      <span className="min-w-0 break-words">
        {name && <span className="sr-only">{name}</span>}
        {part.message}
      </span>
    </p>
  );
};
