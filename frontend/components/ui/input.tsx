import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export const fieldStyle =
  "w-full rounded-md border border-line-strong/60 bg-card px-3 text-small text-ink transition-colors placeholder:text-ink-soft hover:border-line-strong disabled:opacity-60 aria-invalid:border-bad";

export const Input = ({ className, ...rest }: ComponentProps<"input">) => (
  <input autoComplete="off" {...rest} className={cn(fieldStyle, "h-9", className)} />
);

export const Textarea = ({ className, ...rest }: ComponentProps<"textarea">) => (
  <textarea {...rest} className={cn(fieldStyle, "field-sizing-content py-2", className)} />
);
