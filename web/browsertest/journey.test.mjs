// The hosted page from the number to the proof, by hand, by autofill, by keyboard, with scripts and without.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, base, catchReturns, codeOf, forget, inbox, newNumber, open, sentForms, start, verifyURL, withReturn, wrong } from './sandbox.mjs';

test('a typed code is sent once it is complete, and only once', async (t) => {
  const page = await open(t);
  const { code } = await start(page);
  const sent = sentForms(page);
  await page.locator('#code').pressSequentially(code);
  await page.locator('#proof').waitFor();
  assert.equal(sent.length, 1);
  assert.equal(sent[0].get('code'), code);
  assert.match(await page.locator('#proof').inputValue(), /^[\w-]+\.[\w-]+\.[\w-]+$/);
});

/** A promise that somebody else keeps. */
function gate() {
  let open = () => {};
  const opened = new Promise((resolve) => { open = () => resolve(undefined); });
  return { open: () => open(), opened };
}

test('a code that is in the field before the script is sent as well', async (t) => {
  const page = await open(t);
  const script = gate();
  await page.route(/\/verify[^/]*\.js$/, async (route) => {
    await script.opened;
    await route.continue();
  });
  await forget();
  await page.goto(verifyURL(), { waitUntil: 'commit' }); // a page whose script is on its way has not loaded
  const number = newNumber();
  await page.locator('#phone').fill(number);
  await page.locator('form[method=post] .go').click();
  await page.locator('#code').waitFor();
  const sent = sentForms(page);
  await page.locator('#code').fill(await codeOf(number));
  assert.equal(sent.length, 0);
  script.open();
  await page.locator('#proof').waitFor();
  assert.equal(sent.length, 1);
});

// Chromium runs no script any more once it has sent a form. Other browsers may: here a form that was sent is held back.
test('a code that was sent by the Enter key before the script came is not sent again', async (t) => {
  /** @param {(script: string) => string} change */
  const play = async (change) => {
    const page = await open(t);
    const script = gate();
    await page.route(/\/verify[^/]*\.js$/, async (route) => {
      await script.opened;
      try {
        const given = await route.fetch();
        await route.fulfill({ response: given, body: `${change(await given.text())}\nconsole.debug('ran');` });
      } catch { /* asked for by a page that was left, or after the test */ }
    });
    await forget();
    await page.goto(verifyURL(), { waitUntil: 'commit' });
    const number = newNumber();
    await page.locator('#phone').fill(number);
    await page.locator('form[method=post] .go').click();
    await page.locator('#code').waitFor();
    await page.evaluate(() => document.forms[0].addEventListener('submit', (event) => event.preventDefault(), { once: true }));
    await page.locator('#code').pressSequentially(wrong(await codeOf(number)));
    await page.keyboard.press('Enter');
    const sent = sentForms(page);
    const ran = page.waitForEvent('console', (message) => message.text() === 'ran');
    script.open();
    await ran;
    return { page, sent };
  };
  const { page, sent } = await play((script) => script);
  assert.equal(sent.length, 0);
  await page.locator('form[data-code] .go').click(); // pressing the button sends it, as ever
  await page.locator('#problem').waitFor();
  assert.equal(sent.length, 1);
  const control = await play((script) => script.replace("!field.matches(':user-valid')", 'true'));
  await control.page.locator('#problem').waitFor();
  assert.equal(control.sent.length, 1, 'control: a script that does not ask sends it');
});

test('the proof and the state go to the app by themselves', async (t) => {
  const page = await open(t);
  const posted = await catchReturns(page);
  const { code } = await start(page, withReturn);
  await page.locator('#code').fill(code);
  await page.locator('#app').waitFor();
  assert.equal(posted.length, 1);
  assert.equal(posted[0].get('state'), withReturn.state);
  assert.match(posted[0].get('proof') ?? '', /^[\w-]+\.[\w-]+\.[\w-]+$/);
});

test('without script every step is a form', async (t) => {
  const page = await open(t, { javaScriptEnabled: false });
  const posted = await catchReturns(page);
  const { number, code } = await start(page, withReturn);

  await page.locator('#code').fill(wrong(code));
  await page.locator('.go').click();
  await page.locator('#problem').waitFor();

  await page.locator('.again button').first().click(); // before its time
  assert.equal(await page.locator('#problem').getAttribute('data-problem'), 'resend_too_soon');
  await advance(31);
  await page.locator('.again button').first().click();
  await page.locator('#problem').waitFor({ state: 'detached' });
  assert.equal((await inbox(number)).length, 2);

  await page.locator('#code').fill(`${code.slice(0, 3)} ${code.slice(3)}`);
  await page.locator('.go').click();
  assert.equal(posted.length, 0);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.locator('#app').waitFor();
  assert.equal(posted[0].get('state'), withReturn.state);
  assert.ok(posted[0].get('proof'));
});

test('a wrong code is said at its field, and the page is ready for the next', async (t) => {
  const page = await open(t);
  const { code } = await start(page);
  await page.locator('#code').fill(wrong(code));
  const problem = page.locator('#problem');
  await problem.waitFor();
  assert.equal(await problem.getAttribute('role'), 'alert');
  assert.match(await problem.innerText(), /not right\. Attempts left: \d/);
  assert.match(await page.title(), /^That code is not right/);
  const field = page.locator('#code');
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  assert.match(await field.getAttribute('aria-describedby') ?? '', /\bproblem\b/);
  assert.equal(await field.inputValue(), '');
  assert.ok(await field.evaluate((e) => e === document.activeElement));
  await field.fill(code);
  await page.locator('#proof').waitFor();
});

test('a wrong number is said at its field and stays in it', async (t) => {
  const page = await open(t);
  await page.goto(verifyURL());
  await page.locator('#phone').fill('12');
  await page.locator('form[method=post] .go').click();
  await page.locator('#problem').waitFor();
  assert.equal(await page.locator('#problem').getAttribute('data-problem'), 'invalid_phone_number');
  assert.equal(await page.locator('#phone').inputValue(), '12');
  assert.equal(await page.locator('#phone').getAttribute('aria-invalid'), 'true');
});

test('a pasted message gives its code', async (t) => {
  const page = await open(t, { permissions: ['clipboard-read', 'clipboard-write'] });
  const { number } = await start(page);
  const [message] = await inbox(number);
  await page.evaluate((text) => navigator.clipboard.writeText(text), `Hello 2 you!\n${message.text}`);
  await page.locator('#code').focus();
  await page.keyboard.press('Control+V');
  await page.locator('#proof').waitFor();
});

for (const [script, zero] of [['Arabic-Indic', '٠'], ['Persian', '۰'], ['Devanagari', '०'], ['full-width', '０']]) {
  test(`${script} digits are digits`, async (t) => {
    const foreign = (/** @type {string} */ text) => text.replace(/\d/g, (d) => String.fromCharCode(zero.charCodeAt(0) + Number(d)));
    for (const javaScriptEnabled of [true, false]) {
      const page = await open(t, { javaScriptEnabled });
      const { code } = await start(page);
      await page.locator('#code').fill(foreign(code));
      if (!javaScriptEnabled) await page.locator('.go').click();
      await page.locator('#proof').waitFor();

      const number = newNumber();
      await page.goto(verifyURL());
      await page.locator('#phone').fill(foreign(number.slice(2)));
      await page.locator('#region').selectOption('US');
      await page.locator('form[method=post] .go').click();
      await page.locator('#code').waitFor();
      assert.ok(await codeOf(number));
    }
  });
}

test('the wait for another code counts down, and its end is announced', async (t) => {
  const page = await open(t);
  await page.clock.install();
  const { number, code } = await start(page);
  const again = page.locator('.again button').first();
  assert.ok(await again.isDisabled());
  assert.match(await page.locator('#wait').innerText(), /0:(30|2\d)$/);
  await page.clock.runFor(5000);
  assert.match(await page.locator('#wait').innerText(), /0:2\d$/);
  const live = page.locator('[role=status]');
  assert.equal(await live.innerText(), '', 'a second is not worth an announcement');

  await page.clock.runFor(26_000);
  assert.equal(await live.innerText(), 'You can ask for another code now.');
  assert.equal(await page.locator('#wait').count(), 0);
  assert.ok(await again.isEnabled());
  await advance(31);
  await again.click();
  await page.waitForFunction(() => document.querySelector('#wait'));
  const messages = await inbox(number);
  assert.equal(messages.length, 2);
  assert.equal(messages[0].code, code, 'a second message has the same code');
});

test('the end of the code is announced', async (t) => {
  const page = await open(t);
  await page.clock.install();
  await start(page);
  assert.match(await page.locator('#expiry').innerText(), /\d+:\d\d$/);
  await page.clock.runFor(11 * 60_000);
  assert.equal(await page.locator('#expiry').count(), 0);
  assert.match(await page.locator('[role=status]').innerText(), /expired/);
});

/** Puts a message reader into the page: window.deliver gives it a code, window.aborted tells whether it was stopped. */
const fakeReader = () => {
  const w = /** @type {any} */ (window);
  w.OTPCredential = class {};
  navigator.credentials.get = (/** @type {any} */ { otp, signal }) => new Promise((resolve, reject) => {
    w.transports = otp.transport;
    w.deliver = (/** @type {string} */ code) => resolve({ code });
    signal.addEventListener('abort', () => {
      w.aborted = true;
      sessionStorage.setItem('aborted', 'yes');
      reject(signal.reason);
    });
  });
};

test('a code that the browser reads from the message is sent', async (t) => {
  const page = await open(t);
  await page.addInitScript(fakeReader);
  const { code } = await start(page);
  const sent = sentForms(page);
  assert.deepEqual(await page.evaluate('window.transports'), ['sms']);
  await page.evaluate((c) => /** @type {any} */ (window).deliver(c), code);
  await page.locator('#proof').waitFor();
  assert.equal(sent.length, 1);
});

test('reading messages ends when the code is typed, or worthless', async (t) => {
  const page = await open(t);
  await page.addInitScript(fakeReader);
  const { code } = await start(page);
  assert.equal(await page.evaluate('window.aborted'), undefined);
  await page.locator('#code').fill(code);
  await page.locator('#proof').waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem('aborted')), 'yes');

  const late = await open(t);
  await late.addInitScript(fakeReader);
  await late.clock.install();
  await start(late);
  await late.clock.runFor(11 * 60_000);
  assert.equal(await late.evaluate('window.aborted'), true);
});

test('a form is sent once, however often its button is pressed', async (t) => {
  const page = await open(t);
  await start(page); // so that the limits are fresh
  await page.goto(verifyURL());
  const number = newNumber();
  await page.locator('#phone').fill(number);
  const sent = sentForms(page);
  await page.evaluate(() => {
    const button = /** @type {HTMLButtonElement} */ (document.querySelector('form[method=post] .go'));
    button.click();
    button.click();
    button.click();
  });
  await page.locator('#code').waitFor();
  assert.equal(sent.length, 1);
});

test('coming back from the app does not send the proof again', async (t) => {
  const page = await open(t);
  const posted = await catchReturns(page);
  const { code } = await start(page, withReturn);
  await page.locator('#code').fill(code);
  await page.locator('#app').waitFor();
  await page.goBack({ waitUntil: 'commit' }).catch(() => {}); // a page from a form may be refused: that is as good
  await page.waitForLoadState('networkidle'); // whatever its script would send has been sent
  assert.equal(posted.length, 1);
});

test('the keyboard is enough', async (t) => {
  const page = await open(t);
  await start(page);
  await page.goto(verifyURL());
  const number = newNumber();
  const focused = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.className);
  assert.equal(await focused(), 'phone');
  await page.keyboard.press('Shift+Tab');
  assert.equal(await focused(), 'region');
  await page.keyboard.press('Tab');
  await page.keyboard.type(number);
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'go');
  await page.keyboard.press('Enter');
  await page.locator('#code').waitFor();
  assert.equal(await focused(), 'code');
  const outline = await page.locator('#code').evaluate((e) => getComputedStyle(e).outlineWidth);
  assert.ok(parseFloat(outline) >= 2, `the focus can be seen: ${outline}`);
  await page.keyboard.type(await codeOf(number));
  await page.locator('#proof').waitFor();
});

test('the language follows the browser, the address and the choice', async (t) => {
  const language = (/** @type {import('playwright-core').Page} */ page) => page.locator('html').getAttribute('lang');
  const page = await open(t, { locale: 'sv-SE', javaScriptEnabled: false });
  await page.goto(verifyURL(withReturn));
  assert.equal(await language(page), 'sv');
  await page.goto(verifyURL({ ...withReturn, lang: 'ja' }));
  assert.equal(await language(page), 'ja');
  await page.locator('summary').click();
  await page.getByRole('button', { name: 'Deutsch' }).click();
  await page.waitForURL(/lang=de/);
  assert.equal(await language(page), 'de');
  const query = new URL(page.url()).searchParams;
  for (const [name, value] of Object.entries(withReturn)) assert.equal(query.get(name), value);
  assert.ok(page.url().startsWith(base));
});

test('every step speaks the chosen language', async (t) => {
  const page = await open(t, { locale: 'en-US' });
  const { code } = await start(page, { lang: 'fr' });
  assert.equal(await page.locator('html').getAttribute('lang'), 'fr');
  await page.locator('#code').fill(code);
  await page.locator('#proof').waitFor();
  assert.equal(await page.locator('html').getAttribute('lang'), 'fr');
});

test('the number can be changed', async (t) => {
  const page = await open(t);
  await start(page, withReturn);
  await page.getByRole('link', { name: 'Change number' }).click();
  await page.locator('#phone').waitFor();
  assert.equal(new URL(page.url()).searchParams.get('state'), withReturn.state);
});
