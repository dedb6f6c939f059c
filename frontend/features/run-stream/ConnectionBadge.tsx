"use client";

import { useNow } from "@/hooks/useNow";
import { cn } from "@/lib/cn";
import type { Connection } from "@/lib/connection";

const looks: Record<Connection["phase"], { word: string; dot: string }> = {
  connecting: { word: "Connecting", dot: "border border-ink-soft animate-pulse-dot" },
  "catching-up": { word: "Catching up", dot: "bg-wait animate-pulse-dot" },
  live: { word: "Live", dot: "bg-good" },
  reconnecting: { word: "Reconnecting", dot: "bg-wait animate-pulse-dot" },
  ended: { word: "Ended", dot: "bg-ink-soft rounded-none" },
  failed: { word: "Not connected", dot: "bg-bad rounded-none" },
};

/** What the line to the edge is doing. It never says live when it is not. */
export const ConnectionBadge = ({ connection }: { connection: Connection }) => {
  const { word, dot } = looks[connection.phase];
  const retryAt = connection.phase === "reconnecting" ? connection.retryAt : undefined;
  const now = useNow(retryAt !== undefined, 250);
  const left = retryAt === undefined ? 0 : Math.ceil((retryAt - now) / 1000);
  return (
    <span
      role="status"
      data-connection={connection.phase}
      className="inline-flex h-7 items-center gap-1.5 rounded-full border px-2.5 font-medium text-caption whitespace-nowrap"
    >
      <span aria-hidden className={cn("size-2 rounded-full", dot)} />
      {word}
      {left > 0 && <span aria-hidden> in {left} s</span>}
    </span>
  );
};
