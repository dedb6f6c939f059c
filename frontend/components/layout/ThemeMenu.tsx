"use client";

import { Monitor, Moon, Sun, SunMoon } from "lucide-react";
import { Button } from "@/components/ui/button";
import { Menu, MenuItem } from "@/components/ui/menu";
import { chooseTheme, type Theme, themes } from "@/lib/theme";

const looks: Record<Theme, { text: string; Icon: typeof Sun }> = {
  system: { text: "As the system", Icon: Monitor },
  light: { text: "Light", Icon: Sun },
  dark: { text: "Dark", Icon: Moon },
};

export const ThemeMenu = () => (
  <Menu
    trigger={
      <Button look="ghost" size="icon" aria-label="Theme">
        <SunMoon />
      </Button>
    }
  >
    {themes.map((theme) => {
      const { text, Icon } = looks[theme];
      return (
        <MenuItem key={theme} onSelect={() => chooseTheme(theme)}>
          <Icon aria-hidden />
          {text}
        </MenuItem>
      );
    })}
  </Menu>
);
