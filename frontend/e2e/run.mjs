/** Checks of the built pages in a real browser against recorded streams: `npm run build && npm run e2e`. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { executablePath, launch } from "./browser.mjs";
import { serve } from "./server.mjs";

if (!executablePath) {
  const required = process.env.REQUIRE_CHROMIUM === "1";
  console.error(
    "No Chromium found: the browser tests %s. Install Debian's `chromium`, or set CHROMIUM to one.",
    required ? "can't run" : "are left out",
  );
  process.exit(required ? 1 : 0);
}

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await launch();
const checks = [];
const check = (name, does, stage) => checks.push({ name, does, stage });

/** Opens an address in a page of its own; an exception in the page fails the check. */
async function open(server, path, options = {}) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, ...options });
  page.setDefaultTimeout(8000);
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (line) => {
    if (/content security policy/i.test(line.text())) faults.push(line.text());
  });
  await page.goto(server.url + path);
  return { page, faults };
}

const connection = (page, phase) => page.locator(`[data-connection="${phase}"]`).waitFor();
const streamsOf = (server) =>
  server.asked.filter((a) => a.path.startsWith("/api/") && a.path.endsWith("/stream"));
const card = (page, number) => page.getByRole("article", { name: `Variation ${number},` });

async function violations(page) {
  await page.evaluate(axe);
  const { violations: found } = await page.evaluate(() => window.axe.run());
  return found.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).join(" | ")}`);
}

for (const colorScheme of ["light", "dark"]) {
  for (const [name, path] of Object.entries({
    home: "/",
    "a finished run": "/runs/done-three",
    "a live run": "/stream?run=live-five",
    "a run with holes": "/stream?run=with-holes",
    "no run": "/stream",
  })) {
    check(`axe finds nothing on ${name} in the ${colorScheme} theme`, async (server) => {
      const { page, faults } = await open(server, path, { colorScheme });
      await page
        .locator(path === "/" ? "li a" : "h1")
        .first()
        .waitFor();
      if (path.includes("live")) await card(page, 4).getByText("rate limit held").first().waitFor();
      assert.deepEqual(await violations(page), []);
      assert.deepEqual(faults, []);
    });
  }
}

check("a finished run plays its history and ends, over one connection", async (server) => {
  const { page } = await open(server, "/runs/done-three");
  await connection(page, "ended");
  await card(page, 1).getByText("a variation always reaches a terminal state").waitFor();
  const streams = streamsOf(server);
  assert.equal(streams.length, 1);
});

check(
  "the pick of variation 1 (index 0) shows, and can be changed after the end",
  async (server) => {
    const { page } = await open(server, "/stream?run=done-three");
    await connection(page, "ended");
    await card(page, 1).getByText("Picked").waitFor();
    await card(page, 3).getByRole("button", { name: "Pick" }).click();
    await card(page, 3).getByText("Picked").waitFor();
    assert.equal(await page.getByText("Picked", { exact: true }).count(), 1);
    await card(page, 1).getByRole("button", { name: "Pick" }).click();
    await card(page, 1).getByText("Picked").waitFor();
  },
);

check("a dropped line is said, resumed, and doubles or loses nothing", async (server) => {
  const { page } = await open(server, "/stream?run=live-five");
  await connection(page, "live");
  const seen = card(page, 3).getByText("The workspace is split").first();
  await seen.waitFor();
  server.drop();
  await connection(page, "reconnecting");
  await connection(page, "live");
  await card(page, 3).getByRole("button", { name: "raw" }).click();
  const words = () =>
    card(page, 3)
      .locator("pre")
      .textContent()
      .then((text) => text.replace("▋", ""));
  await page.waitForFunction(
    (el) => el.textContent.length > 2500,
    await card(page, 3).locator("pre").elementHandle(),
  );
  const sentence = `${(await words()).split(". ")[0]}. `;
  assert.ok(
    sentence.repeat(200).startsWith(await words()),
    "the text repeats one sentence exactly",
  );
  const resumed = streamsOf(server);
  assert.equal(resumed.length, 2, JSON.stringify(resumed));
});

check("it says why a variation waits, failed and began again", async (server) => {
  const { page } = await open(server, "/stream?run=live-five");
  await card(page, 5).getByText("4 other variations run. 3rd in the queue.").waitFor();
  await card(page, 4).getByText("rate limit held after 5 tries").waitFor();
  assert.equal(await card(page, 4).getByText("rate limit held").count(), 1);
  await card(page, 4).getByText("Began again: the connection").waitFor();
});

check("a gap is said where it is, and the first attempt of a retry is kept", async (server) => {
  const { page } = await open(server, "/stream?run=with-holes");
  const text = () => page.getByLabel("Text of variation 1").textContent();
  await card(page, 1).getByText("12 events missing here").waitFor();
  assert.match(await text(), /slow because[\s\S]*12 events missing here[\s\S]*all of it/);
  await card(page, 2).getByRole("button", { name: "Attempt 1" }).click();
  await card(page, 2).getByText("I was about to").waitFor();
});

check("it follows the newest line until scrolled up, then offers to jump", async (server) => {
  const { page } = await open(server, "/stream?run=live-five");
  const body = page.getByLabel("Text of variation 2");
  const left = () => body.evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight);
  await page.waitForFunction((e) => e.scrollTop > 50, await body.elementHandle());
  await body.hover();
  await page.mouse.wheel(0, -2000);
  const jump = card(page, 2).getByRole("button", { name: "Jump to live" });
  await jump.waitFor();
  const top = await body.evaluate((e) => e.scrollTop);
  await page.waitForTimeout(400);
  assert.equal(await body.evaluate((e) => e.scrollTop), top);
  await jump.click();
  await jump.waitFor({ state: "detached" });
  assert.ok((await left()) < 40);
});

check("a finished run is read from its top", async (server) => {
  const { page } = await open(server, "/runs/done-three", {
    viewport: { width: 1200, height: 500 },
  });
  await connection(page, "ended");
  await page.waitForTimeout(200);
  assert.equal(await page.getByLabel("Text of variation 1").evaluate((e) => e.scrollTop), 0);
});

check("keys 1–5 focus a card, G returns, ? explains", async (server) => {
  const { page } = await open(server, "/runs/done-three");
  await card(page, 3).waitFor();
  await page.keyboard.press("2");
  await page.getByRole("button", { name: "Focus variation 1" }).waitFor();
  assert.equal(await page.getByRole("article").count(), 1);
  await page.keyboard.press("g");
  await card(page, 3).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
});

check("what an agent writes loads nothing and renders no HTML", async (server) => {
  const { page } = await open(server, "/runs/done-three");
  const fetched = [];
  page.on("request", (r) => fetched.push(r.url()));
  await card(page, 1).getByText('<b onclick="x()">HTML</b>').waitFor();
  assert.equal(await page.locator("article img").count(), 0);
  assert.deepEqual(
    fetched.filter((url) => !url.startsWith(server.url)),
    [],
  );
});

check("an unknown run is said to be unknown", async (server) => {
  const { page } = await open(server, "/runs/nobody");
  await page.getByText("There is no run nobody.").waitFor();
  await connection(page, "failed");
});

check("Ctrl+Enter runs; an empty prompt and a refusal are said in place", async (server) => {
  const { page } = await open(server, "/");
  const prompt = page.getByLabel("Prompt");
  await prompt.press("Control+Enter");
  await page.getByText("Type a prompt.").waitFor();
  await prompt.fill("please refuse this");
  await prompt.press("Control+Enter");
  await page.getByText("No model of that name here.").waitFor();
  await prompt.fill("What is this?");
  await prompt.press("Control+Enter");
  await page.waitForURL(/\/stream\?run=done-three/);
  await card(page, 1).waitFor();
});

check(
  "the list goes back as far as there are runs",
  async (server) => {
    const { page } = await open(server, "/");
    const rows = page.locator("section[aria-labelledby=recent] li");
    const more = page.getByRole("button", { name: "Show more" });
    for (let shown = 20; shown <= 220; shown += 20) {
      await rows.nth(shown - 1).waitFor();
      await more.click();
    }
    await rows.nth(223).waitFor();
    await more.waitFor({ state: "detached" });
    assert.equal(await rows.count(), 224);
  },
  { older: 220 },
);

check("Run again brings prompt, repository and variations back", async (server) => {
  const { page } = await open(server, "/runs/done-three");
  await page.getByRole("link", { name: "Run again" }).click();
  await page.waitForFunction(() =>
    document.querySelector("#prompt")?.value.startsWith("What does"),
  );
  assert.equal(
    await page.getByLabel("Repository").inputValue(),
    "https://github.com/octocat/Hello-World",
  );
  assert.equal(
    await page.getByLabel("Model of variation 2", { exact: true }).inputValue(),
    "anthropic/claude-haiku",
  );
});

check("nothing is wider than a window of 360 px", async (server) => {
  for (const path of ["/", "/runs/done-three", "/stream?run=live-five", "/stream?run=with-holes"]) {
    const { page } = await open(server, path, { viewport: { width: 360, height: 740 } });
    await page
      .locator(path === "/" ? "li a" : "article")
      .first()
      .waitFor();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 360, `${path} is ${wide} px wide`);
    await page.close();
  }
});

check("nothing moves when reduced motion is wished for", async (server) => {
  const { page } = await open(server, "/stream?run=live-five", { reducedMotion: "reduce" });
  await card(page, 1).waitFor();
  assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
});

check("a chosen theme stays chosen", async (server) => {
  const { page } = await open(server, "/", { colorScheme: "light" });
  await page.getByRole("button", { name: "Theme" }).click();
  await page.getByRole("menuitem", { name: "Dark" }).click();
  await page.reload();
  const ground = () =>
    page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  assert.equal(await ground(), "rgb(11, 17, 32)");
});

const wanted = process.argv[2];
let failed = 0;
for (const { name, does, stage } of checks.filter((c) => !wanted || c.name.includes(wanted))) {
  const server = await serve(stage);
  try {
    await does(server);
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}\n`);
  }
  for (const context of browser.contexts()) await context.close();
  server.close();
}
await browser.close();
process.exit(failed > 0 ? 1 : 0);
