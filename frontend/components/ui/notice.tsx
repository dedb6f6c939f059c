import { CircleAlert, Info } from "lucide-react";
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

type Props = { tone?: "info" | "bad" | "wait"; className?: string; children: ReactNode };

const tones = {
  info: "bg-raised text-ink-soft",
  bad: "bg-bad-tint text-bad",
  wait: "bg-wait-tint text-wait",
};

/** A sentence the person should see, in place. */
export const Notice = ({ tone = "info", className, children }: Props) => {
  const Icon = tone === "info" ? Info : CircleAlert;
  return (
    <div className={cn("flex items-start gap-2 rounded-md px-3 py-2", tones[tone], className)}>
      <Icon className="mt-0.5 size-4 shrink-0" aria-hidden />
      <div className="min-w-0 break-words">{children}</div>
    </div>
  );
};
