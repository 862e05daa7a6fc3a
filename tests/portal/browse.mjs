// Clicks through the portal of a running server in headless Chromium: every page at two widths and in both schemes,
// the forms of the quick start and of the reference, and the console with a line that is cut. Any console error,
// stopped content, request to elsewhere or sideways scroll fails.
// Needs BASE and PASSWORD (see .ci/with-server) and tokens that hold little more than a minute; SCREENSHOTS=folder keeps
// pictures, CHROMIUM names the browser, FILES=docs/portal takes scripts and styles from there, so that a change of them
// needs no build.
import assert from "node:assert/strict";
import net from "node:net";
import { chromium } from "playwright-core";

const { BASE, PASSWORD, SCREENSHOTS, FILES, CHROMIUM = "/usr/bin/chromium" } = process.env;
assert(BASE && PASSWORD, "BASE and PASSWORD are needed");
const WIDTHS = [360, 1280];
const SCHEMES = ["light", "dark"];
const faults = [];

/** A line between browser and server that can be cut, as networks do it: without a word. */
async function cuttable(target) {
  const { hostname, port } = new URL(target);
  const pairs = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(Number(port), hostname);
    const pair = [near, far];
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      pair.forEach((socket) => socket.destroy());
    };
    for (const [from, to] of [[near, far], [far, near]]) {
      from.pipe(to);
      from.on("error", end);
      from.on("close", end);
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    base: `http://127.0.0.1:${server.address().port}`,
    cut: () => pairs.forEach((pair) => pair.forEach((socket) => socket.resetAndDestroy())),
    close: () => {
      server.close();
      pairs.forEach((pair) => pair.forEach((socket) => socket.destroy()));
    },
  };
}

/** A page that reports what must not happen. `expected` are words of errors that a test provokes. */
async function watched(browser, base, options, expected = []) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(15_000);
  // Told by the browser whenever the policy stops something, before any script of the page runs.
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`CSP ${event.violatedDirective} ${event.blockedURI}`));
  });
  const page = await context.newPage();
  if (FILES) {
    await page.route(/\/docs\/[^/]+\.(js|css|svg)$/, async (route) => {
      const path = `${FILES}/${new URL(route.request().url()).pathname.split("/").at(-1)}`;
      await route.fulfill({ response: await route.fetch(), path });
    });
  }
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !expected.some((words) => text.includes(words))) faults.push(`${page.url()}: ${text}`);
  });
  page.on("pageerror", (error) => faults.push(`${page.url()}: ${error}`));
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol !== "data:" && host !== new URL(base).host) faults.push(`${page.url()} asked ${request.url()}`);
  });
  return page;
}

async function fits(page, what) {
  const { wide, width, culprits } = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const wide = document.documentElement.scrollWidth;
    const beyond = (one) => one.getBoundingClientRect().right > width + 1 && !one.closest(".scroll, pre, .frames, .talk");
    const culprits = wide > width ? [...document.querySelectorAll("main *, header *")].filter(beyond).slice(0, 4) : [];
    return { wide, width, culprits: culprits.map((one) => one.outerHTML.slice(0, 120)) };
  });
  assert(wide <= width, `${what}: ${wide} px wide on a screen of ${width}: ${culprits.join("\n")}`);
}

/** The contrast of every text against what is behind it, as WCAG counts it. */
async function readable(page, what) {
  const weak = await page.evaluate(() => {
    const light = (text) => {
      const [r, g, b] = text.match(/[\d.]+/g).slice(0, 3).map((one) => one / 255)
        .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (one) => {
      for (let at = one; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (!/, 0\)$|transparent/.test(colour)) return colour;
      }
      return "rgb(255, 255, 255)";
    };
    const found = [];
    for (const one of document.querySelectorAll("main *, nav *, header *, footer *")) {
      const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      if (!own || one.closest("svg, :disabled") || !one.checkVisibility()) continue;
      const [front, back] = [light(getComputedStyle(one).color), light(behind(one))];
      const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
      if (contrast < 4.5) found.push(`${contrast.toFixed(1)} ${one.outerHTML.slice(0, 80)}`);
    }
    return found.slice(0, 3);
  });
  assert.deepEqual(weak, [], `${what}: texts that are hard to read`);
}

async function everyPage(browser) {
  let seen = 0;
  for (const width of WIDTHS) {
    for (const colorScheme of SCHEMES) {
      const page = await watched(browser, BASE, { viewport: { width, height: 800 }, colorScheme });
      await page.goto(`${BASE}/docs/`);
      const paths = await page.locator("nav a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
      assert(paths.length >= 10);
      for (const path of paths) {
        // By the menu, as a reader goes; on a phone it is closed at first.
        if (width < 800) await page.locator("nav summary").click();
        await page.locator(`nav a[href="${path}"]`).click();
        await page.waitForURL(`${BASE}${path}`);
        await page.locator("h1").first().waitFor();
        const what = `${path} at ${width} px, ${colorScheme}`;
        await fits(page, what);
        await readable(page, what);
        const name = path.split("/").at(-1) || "start";
        if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${name}-${width}-${colorScheme}.png` });
        // With everything open too.
        await page.evaluate(() => document.querySelectorAll("main details").forEach((one) => { one.open = true; }));
        await fits(page, `${what}, everything open`);
        seen += 1;
      }
      await page.context().close();
    }
  }
  console.log(`every page: ${seen} views`);
}

/** The switch of colours holds from page to page; the keyboard reaches the content. */
async function switchAndKeyboard(browser) {
  const page = await watched(browser, BASE, { colorScheme: "light" });
  await page.goto(`${BASE}/docs/`);
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.locator("#theme").click();
  await page.locator("#theme").click();
  assert.equal(await page.locator("#theme").textContent(), "Colours: dark");
  const dark = await background();
  assert.notEqual(dark, light);
  await page.goto(`${BASE}/docs/errors`);
  assert.equal(await background(), dark);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => location.hash), "#content");
  const missing = await watched(browser, BASE, {}, ["404"]);
  const answer = await missing.goto(`${BASE}/docs/no-such-page`);
  assert.equal(answer.status(), 404);
  await missing.locator("main a[href='/docs/']").click();
  await missing.waitForURL(`${BASE}/docs/`);
  await page.context().close();
  await missing.context().close();
  console.log("the switch, the keyboard, the page for what is not there");
}

async function filter(browser) {
  const page = await watched(browser, BASE, {});
  await page.goto(`${BASE}/docs/rest`);
  const first = await page.locator(".index li a").first().boundingBox();
  assert(first.y < 800, "the first operation is on the first screen");
  await page.locator("#filter").fill("claim");
  assert.deepEqual(await page.locator(".index li:visible a").evaluateAll((links) => links.map((link) => link.hash)), ["#claim_conversation"]);
  await page.locator(".index li:visible a").click();
  assert(await page.locator("#claim_conversation h3").isVisible());
  await page.locator("#filter").fill("nothing has this word");
  assert(await page.locator("#filter-none").isVisible());
  await page.context().close();
  console.log("the filter");
}

/** Signs in and makes a visitor in the panel of a page. */
async function whoCalls(page) {
  await page.locator("#sign-in input[name=password]").fill(PASSWORD);
  await page.locator("#sign-in button").click();
  await page.locator("#staff-state.good").waitFor();
  await page.locator("#new-visitor button").click();
  await page.locator("#visitor-state.good").waitFor();
}

async function quickStart(browser) {
  const page = await watched(browser, BASE, {}, ["401"]);
  await page.goto(`${BASE}/docs/quick-start`);
  await page.locator("#sign-in input[name=password]").fill("not the password");
  await page.locator("#sign-in button").click();
  await page.locator("#staff-state.bad").waitFor();
  await whoCalls(page);
  const run = async (step, status, words) => {
    const place = page.locator(`#step-${step}`);
    await place.locator("button").click();
    await place.locator(".status", { hasText: String(status) }).waitFor();
    const text = await place.locator(".result").textContent();
    assert(text.includes(words), `${step}: ${text}`);
  };
  await run("open", 201, '"created": true');
  await run("open", 200, '"duplicate": true');
  await run("waiting", 200, "Order 1001");
  await run("claim", 200, '"pending"');
  await run("answer", 201, '"duplicate": false');
  await run("inbox", 200, '"unread_total": 1');
  await run("log", 200, "It arrives tomorrow.");
  await page.context().close();
  console.log("the quick start");
}

/** Sign in, open and send with the bodies that the page proposes; the password is all that is typed. */
async function tryOut(browser) {
  const page = await watched(browser, BASE, {}, ["404", "409", "412", "422", "403", "429", "503", "401", "400"]);
  await page.goto(`${BASE}/docs/rest`);
  const attempt = async (operation, { body, header = "" } = {}) => {
    const form = page.locator(`form[data-operation=${operation}]`);
    const section = page.locator(`#${operation} details.try`);
    if (!(await section.evaluate((one) => one.open))) await section.locator("summary").click();
    for (const field of await form.locator("input[data-in=header]").all()) await field.fill(header);
    if (body) await form.locator("textarea").fill(body(await form.locator("textarea").inputValue()));
    await form.locator("button").click();
    await form.locator(".status").waitFor();
    return { status: await form.locator(".status").textContent(), text: await form.locator(".result").textContent() };
  };
  const password = (text) => JSON.stringify({ ...JSON.parse(text), password: PASSWORD });
  const expect = async (operation, status, options) => {
    const got = await attempt(operation, options);
    assert.equal(got.status.trim(), status, `${operation}: ${got.text}`);
  };
  await expect("login", "200", { body: password });
  await expect("create_visitor", "201");
  await expect("open_conversation", "201");
  await expect("claim_conversation", "200", { header: '"1"' });
  await expect("update_conversation", "412 version_mismatch", { header: '"1"' });
  await expect("send_message", "201");
  await expect("list_entries", "200");
  // Whatever asks for nothing that only its caller knows succeeds as it stands, too.
  for (const operation of ["get_me", "list_members", "get_member", "get_tenant", "list_conversations", "get_conversation",
    "list_messages", "get_message", "list_revisions", "edit_message", "send_note", "list_notes", "read_conversation",
    "report_delivered", "mark_conversation_unread", "list_conversation_members", "list_assignments", "update_conversation",
    "release_conversation", "list_inbox", "list_tenant_entries", "list_sessions", "update_me", "create_identity_key",
    "list_identity_keys", "create_member", "healthz", "readyz", "metrics", "recall_message", "close_conversation", "reopen_conversation"]) {
    const got = await attempt(operation);
    assert.match(got.status, /^\s*2\d\d\s*$/, `${operation}: ${got.text}`);
  }
  await page.context().close();
  console.log("try it out");
}

async function console_(browser) {
  const line = await cuttable(BASE);
  const page = await watched(browser, line.base, { viewport: { width: 1280, height: 1000 } }, ["ERR_CONNECTION_RESET", "WebSocket connection"]);
  await page.goto(`${line.base}/docs/console`);
  await whoCalls(page);
  const side = (role) => page.locator(`#side-${role}`);
  const state = (role, name) => side(role).locator(`[data-part=state][data-state=${name}]`).waitFor();
  const say = async (role, text) => {
    await side(role).locator("[data-part=text]").fill(text);
    await side(role).locator("[data-part=say] button").click();
  };
  const said = (role, text) => side(role).locator(".talk li:not(.pending)", { hasText: text }).waitFor();
  const frames = (role) => side(role).locator(".frames li[data-type]").evaluateAll((items) => items.map((item) => `${item.className} ${item.dataset.type}`));
  for (const role of ["visitor", "staff"]) {
    await side(role).locator("[data-part=connect]").click();
    await state(role, "live");
  }
  await say("visitor", "Where is my parcel?");
  await side("staff").locator(".frames li[data-type=queue]").waitFor();
  await side("staff").locator("[data-part=claim]").click();
  await said("staff", "Where is my parcel?");
  await say("staff", "It arrives tomorrow.");
  await said("visitor", "It arrives tomorrow.");
  const text = await side("visitor").locator(".frames").textContent();
  assert(!/"token": "[^…]/.test(text), "tokens are not shown");

  // Dropped by hand: what is said meanwhile comes with the resume, and what was written meanwhile is sent then.
  await side("visitor").locator("[data-part=automatic]").uncheck();
  await side("visitor").locator("[data-part=drop]").click();
  await state("visitor", "offline");
  await say("staff", "Are you there?");
  await said("staff", "Are you there?");
  await say("visitor", "Just a moment");
  await side("visitor").locator(".talk .pending").waitFor();
  await side("visitor").locator("[data-part=clear]").click();
  await side("visitor").locator("[data-part=connect]", { hasText: "Resume" }).click();
  await said("visitor", "Are you there?");
  await said("visitor", "Just a moment");
  await said("staff", "Just a moment");
  const resumed = await frames("visitor");
  assert.equal(resumed[0], "out hello");
  assert(resumed.indexOf("in ready") < resumed.indexOf("in entries"), String(resumed));
  assert(resumed.indexOf("in entries") < resumed.indexOf("in live"), String(resumed));
  assert(resumed.indexOf("in live") < resumed.indexOf("out message.send"), String(resumed));
  await side("visitor").locator(".frames li[data-type=hello] summary").click();
  assert.match(await side("visitor").locator(".frames li[data-type=hello] pre").textContent(), /"cursor": "/);

  // Cut without a word: both come back by themselves.
  await side("visitor").locator("[data-part=automatic]").check();
  for (const role of ["visitor", "staff"]) await side(role).locator("[data-part=clear]").click();
  line.cut();
  for (const role of ["visitor", "staff"]) {
    await side(role).locator(".frames li[data-type=live]").waitFor({ timeout: 30_000 });
    assert((await frames(role)).includes("out hello"));
  }
  await say("visitor", "Back again");
  await said("staff", "Back again");
  for (const role of ["visitor", "staff"]) await side(role).locator(".talk .pending").first().waitFor({ state: "detached" });
  const log = await side("visitor").locator(".talk li small:first-child").allTextContents();
  assert.deepEqual(log.map(Number), log.map((_, at) => Number(log[0]) + at), "no hole, nothing twice");

  // Tokens are renewed before they end, again and again, without another connection.
  for (const role of ["visitor", "staff"]) {
    await side(role).locator("[data-part=clear]").click();
    await side(role).locator(".frames li.out[data-type=auth]").nth(1).waitFor({ timeout: 30_000 });
    const renewed = await frames(role);
    assert(!renewed.includes("in error") && !renewed.includes("out hello"), String(renewed));
  }

  // Any frame, and what the server says to a wrong one.
  await side("visitor").locator("summary", { hasText: "Send any frame" }).click();
  await side("visitor").locator("[data-part=raw] button").click();
  await side("visitor").locator(".frames li[data-type=pong]").first().waitFor();
  await side("visitor").locator("[data-part=frame]").fill('{"type": "typing", "id": 9, "data": {"on": true}}');
  await side("visitor").locator("[data-part=raw] button").click();
  await side("visitor").locator(".frames li[data-type=error]").first().waitFor();
  await page.locator("#ask-inbox").click();
  await page.locator("#inbox-result .good").waitFor();
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/console-talk.png`, fullPage: true });
  await page.setViewportSize({ width: 360, height: 800 });
  await fits(page, "the console after a talk, on a phone");
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/console-talk-360.png`, fullPage: true });
  await page.context().close();
  line.close();
  console.log("the console: talk, drop, resume, cut, back again");
}

const TESTS = { everyPage, switchAndKeyboard, filter, quickStart, tryOut, console_ };
const only = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
let passed = 0;
try {
  for (const [name, test] of Object.entries(TESTS)) {
    if (only.length > 0 && !only.includes(name)) continue;
    await test(browser);
    assert.deepEqual(faults, [], `${name}: the browser complained`);
    passed += 1;
  }
} finally {
  await browser.close();
}
assert(passed > 0);
console.log(`${passed} passed, 0 failed`);
