// Opens pages in a real browser, takes a screenshot of each and asks axe-core what stands in people's way.
//
//   node visit.mjs SCREENSHOTS < pages.json
//
// stdin: [{"name","url","cookies"?,"width"?,"height"?,"scheme"?: "light"|"dark","javascript"?: "on"|"off","steps"?}]; a
// cookie is {"name","value"} for the page's own origin, or as Playwright takes it. A step is done before anybody looks:
// {"fill": selector, "with": words}, {"click": selector}, and by keyboard alone {"tabTo": selector}, {"press": key},
// {"type": words}, {"go": key} (a key that leads to another page). stdout: one JSON line,
// {"pages":[{"name","url","status","title","screenshot","overflow","errors":[…],"violations":[…]}]}.
// Exit code 0 when all pages opened and nothing was found, 1 when axe-core found something, a page is wider than its
// window or its console holds an error, 2 when a page could not be opened.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const AT_ONCE = 3;
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const folder = process.argv[2];
if (!folder) {
  console.error('Say where the screenshots go: node visit.mjs SCREENSHOTS < pages.json');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
const pages = JSON.parse(await text(process.stdin));

const browser = await chromium
  .launch({ executablePath: process.env.WELLBRIDGE_TEST_CHROMIUM ?? '/usr/bin/chromium', args: FLAGS })
  .catch((error) => {
    console.log(JSON.stringify({ pages: [], failure: error.message }));
    process.exit(2);
  });
const results = [];
const queue = [...pages.entries()];
const visitor = async () => {
  for (let next = queue.shift(); next; next = queue.shift()) {
    results[next[0]] = await visit(next[1]);
  }
};
await Promise.all(Array.from({ length: AT_ONCE }, visitor));
await browser.close();
console.log(JSON.stringify({ pages: results }));
const failed = results.some((r) => r.failure);
const found = results.some((r) => r.violations?.length || r.errors?.length || r.overflow);
process.exit(failed ? 2 : found ? 1 : 0);

async function visit({
  name,
  url,
  cookies = [],
  width = 1280,
  height = 800,
  scheme = 'light',
  javascript = 'on',
  steps = [],
}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    javaScriptEnabled: javascript === 'on',
    locale: 'en-GB',
    timezoneId: 'Europe/London',
  });
  const errors = [];
  const documents = new Set();
  try {
    await context.addCookies(cookies.map((c) => (c.url || c.domain ? c : { ...c, url: new URL(url).origin })));
    const page = await context.newPage();
    page.on('console', (message) => isFault(message, documents) && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    let response;
    page.on('response', (answer) => {
      if (answer.request().isNavigationRequest()) {
        documents.add(answer.url());
        response = answer;
      }
    });
    await page.goto(url, { waitUntil: 'load' });
    for (const step of steps) {
      await take(page, step);
    }
    const screenshot = join(folder, `${name.replace(/[^A-Za-z0-9_-]+/g, '-')}.png`);
    await page.screenshot({ path: screenshot, fullPage: true });
    const overflow = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');
    const title = await page.title();
    // Evaluated from outside, so that the page's own Content-Security-Policy stays in force for the page.
    const judged = javascript === 'on' ? page : await scripted(context, page, scheme);
    await judged.evaluate(AXE);
    const { violations } = await judged.evaluate('axe.run(document, { resultTypes: ["violations"] })');
    return {
      name,
      url,
      status: response?.status(),
      title,
      screenshot,
      overflow,
      errors,
      violations: violations.map(({ id, impact, help, nodes }) => ({
        id,
        impact,
        help,
        nodes: nodes.map((node) => ({ target: node.target.join(' '), summary: node.failureSummary })),
      })),
    };
  } catch (error) {
    return { name, url, failure: error.message.split('\n')[0], errors };
  } finally {
    await context.close();
  }
}

/** One thing a visitor does. */
async function take(page, step) {
  if (step.fill) {
    await page.fill(step.fill, step.with);
  } else if (step.click) {
    await Promise.all([page.waitForEvent('load'), page.click(step.click)]);
  } else if (step.go) {
    await Promise.all([page.waitForEvent('load'), page.keyboard.press(step.go)]);
  } else if (step.press) {
    await page.keyboard.press(step.press);
  } else if (step.type) {
    await page.keyboard.type(step.type);
  } else {
    await tabTo(page, step.tabTo);
  }
}

/** Presses Tab until what the selector means has the focus, and sees to it that the focus can be seen. */
async function tabTo(page, selector) {
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press('Tab');
    const focus = page.locator(':focus');
    if (!(await focus.count()) || !(await focus.evaluate((at, wanted) => at.matches(wanted), selector))) {
      continue;
    }
    const { width, style } = await focus.evaluate((at) => {
      const seen = getComputedStyle(at);
      return { width: parseFloat(seen.outlineWidth), style: seen.outlineStyle };
    });
    if (style === 'none' || !(width >= 2)) {
      throw new Error(`${selector} has the focus, and nobody can see it`);
    }
    return;
  }
  throw new Error(`${selector} cannot be reached with the Tab key`);
}

/** An error in the console that is the page's own fault; a status asked for on purpose (a 404 page, say) is none. */
function isFault(message, documents) {
  const from = message.location().url;
  const asked = documents.has(from) && message.text().startsWith('Failed to load resource');
  return message.type() === 'error' && !asked && !from.endsWith('/favicon.ico');
}

/** axe-core itself needs scripts: the same document, as it stood without them, in a page that has them. */
async function scripted(context, page, colorScheme) {
  const html = (await page.content()).replace(/<script\b[\s\S]*?<\/script>/gi, '');
  const storageState = await context.storageState();
  const other = await browser.newContext({ viewport: page.viewportSize(), colorScheme, storageState });
  // The whole browser may be closing already: then the twin is gone as well, and that is what was wanted.
  context.once('close', () => other.close().catch(() => {}));
  const twin = await other.newPage();
  await twin.route(page.url(), (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: html }), {
    times: 1,
  });
  await twin.goto(page.url(), { waitUntil: 'load' });
  return twin;
}
