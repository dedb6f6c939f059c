import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

type Props = {
  label: string;
  htmlFor: string;
  hint?: ReactNode;
  error?: string;
  className?: string;
  children: ReactNode;
};

/** A labelled control; what is wrong with it is said below it. */
export const Field = ({ label, htmlFor, hint, error, className, children }: Props) => (
  <div className={cn("flex min-w-0 flex-col gap-1", className)}>
    <label htmlFor={htmlFor} className="font-medium text-caption text-ink-soft">
      {label}
    </label>
    {children}
    {error ? (
      <p id={`${htmlFor}-error`} className="text-bad text-caption">
        {error}
      </p>
    ) : (
      hint && <p className="text-caption text-ink-soft">{hint}</p>
    )}
  </div>
);
