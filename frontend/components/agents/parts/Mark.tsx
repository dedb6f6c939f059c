import type { ReactNode } from "react";
import { cn } from "@/lib/cn";
import { plural } from "@/lib/format";

/** What is missing, as far as it is known. */
export function gapWords(missing: number, reason: string | undefined): string {
  const what =
    missing > 0 ? `${plural(missing, "event")} missing here` : "Something is missing here";
  return reason ? `${what}: ${reason}` : what;
}

/** A line across the text: here something is missing, or was begun again. */
export const Mark = ({ tone, children }: { tone: "wait" | "soft"; children: ReactNode }) => (
  <div
    className={cn(
      "flex items-center gap-2 text-caption",
      tone === "wait" ? "text-wait" : "text-ink-soft",
    )}
  >
    <span aria-hidden className="h-0 flex-1 border-current/50 border-t border-dashed" />
    <span className="max-w-[80%] text-center">{children}</span>
    <span aria-hidden className="h-0 flex-1 border-current/50 border-t border-dashed" />
  </div>
);
