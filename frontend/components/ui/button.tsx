import { cva, type VariantProps } from "class-variance-authority";
import { Slot } from "radix-ui";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

const buttonStyle = cva(
  "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md font-medium whitespace-nowrap transition-colors disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0",
  {
    variants: {
      look: {
        primary: "bg-ai text-white hover:bg-[#4338ca]",
        outline: "border border-line-strong/50 bg-card hover:bg-raised",
        ghost: "text-ink-soft hover:bg-raised hover:text-ink",
        danger: "border border-line-strong/50 bg-card text-bad hover:bg-bad-tint",
      },
      size: {
        md: "h-9 px-3.5 text-small",
        sm: "h-7 px-2 text-caption",
        icon: "size-7 [&_svg]:size-[15px]",
      },
    },
    defaultVariants: { look: "outline", size: "md" },
  },
);

type Props = ComponentProps<"button"> & VariantProps<typeof buttonStyle> & { asChild?: boolean };

export function Button({ look, size, asChild, className, ...rest }: Props) {
  const Tag = asChild ? Slot.Root : "button";
  const type = asChild ? {} : { type: "button" as const };
  return <Tag {...type} {...rest} className={cn(buttonStyle({ look, size }), className)} />;
}
