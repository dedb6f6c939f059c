import { type ClassValue, clsx } from "clsx";
import { extendTailwindMerge } from "tailwind-merge";

const merge = extendTailwindMerge({
  extend: {
    theme: { text: ["display", "h1", "h2", "h3", "large", "body", "small", "caption"] },
  },
});

/** Class names joined; of two that say the same thing the later one wins. */
export const cn = (...classes: ClassValue[]): string => merge(clsx(classes));
