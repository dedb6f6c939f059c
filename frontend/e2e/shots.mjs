/** Pictures of every screen, light and dark, wide and narrow: `node e2e/shots.mjs <folder> [name…]`. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";

const [folder = "shots", ...only] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
const server = await serve();
const browser = await launch();

const screens = {
  home: { path: "/" },
  done: { path: "/runs/done-three" },
  live: { path: "/stream?run=live-five", waitMs: 2500 },
  focus: { path: "/stream?run=done-three", press: "1" },
  holes: { path: "/stream?run=with-holes" },
  command: { path: "/stream?run=a-command" },
  unknown: { path: "/stream?run=nobody" },
};
const sizes = { wide: { width: 1440, height: 900 }, phone: { width: 360, height: 740 } };

for (const [name, screen] of Object.entries(screens)) {
  if (only.length > 0 && !only.includes(name)) continue;
  for (const colorScheme of ["light", "dark"])
    for (const [size, viewport] of Object.entries(sizes)) {
      const page = await browser.newPage({ viewport, colorScheme });
      page.on("console", (m) => m.type() === "error" && console.log(name, m.text().slice(0, 300)));
      page.on("pageerror", (e) => console.log(name, String(e).slice(0, 600)));
      await page.goto(server.url + screen.path);
      await page.waitForTimeout(screen.waitMs ?? 900);
      if (screen.press) await page.keyboard.press(screen.press);
      await page.waitForTimeout(250);
      await page.screenshot({
        path: join(folder, `${name}-${size}-${colorScheme}.png`),
        fullPage: size === "phone",
      });
      await page.close();
    }
}
await browser.close();
server.close();
