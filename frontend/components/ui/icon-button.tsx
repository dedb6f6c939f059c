import type { ComponentProps } from "react";
import { Button } from "./button";
import { Tooltip } from "./tooltip";

type Props = ComponentProps<typeof Button> & { label: string; keys?: string };

/** A button of one icon, named for those who can't see it and explained to those who can. */
export const IconButton = ({ label, keys, ...rest }: Props) => (
  <Tooltip text={label} keys={keys}>
    <Button look="ghost" size="icon" aria-label={label} {...rest} />
  </Tooltip>
);
