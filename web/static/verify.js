// Comfort for the hosted page. Every form works without this file: here they only become quicker to fill in.

/** The digit 0 of each script that keyboards of our languages write. */
const ZEROS = [0x0660, 0x06f0, 0x0966, 0xff10];

/**
 * @param {string} text
 * @returns {string} the text with Arabic-Indic, Persian, Devanagari and full-width digits in ASCII
 */
function asciiDigits(text) {
  return text.replace(/[٠-٩۰-۹०-९０-９]/g, (digit) => {
    const point = /** @type {number} */ (digit.codePointAt(0));
    const zero = /** @type {number} */ (ZEROS.find((z) => point >= z && point < z + 10));
    return String(point - zero);
  });
}

/**
 * Keeps a form from being sent twice, and its buttons usable again when nothing came of it: the browser brought the
 * page back, or has been waiting for too long.
 * @param {HTMLFormElement} form
 */
function sendOnce(form) {
  const buttons = form.querySelectorAll('button');
  const busy = () => form.ariaBusy === 'true';
  const rest = () => {
    if (!busy()) return;
    form.removeAttribute('aria-busy');
    buttons.forEach((b) => { b.disabled = false; });
  };
  form.addEventListener('submit', (event) => {
    if (busy()) {
      event.preventDefault();
      return;
    }
    form.ariaBusy = 'true';
    // A button that is disabled now would be left out of what is sent.
    setTimeout(() => buttons.forEach((b) => { b.disabled = true; }));
    setTimeout(rest, 15_000);
  });
  addEventListener('pageshow', (event) => { if (event.persisted) rest(); });
}

/**
 * The code in a text that somebody typed or pasted: alone, or within the whole message.
 * @param {string} text
 * @param {number} length
 * @param {boolean} numeric
 * @returns {string | undefined}
 */
function findCode(text, length, numeric) {
  const ascii = asciiDigits(text).trim();
  if (numeric) {
    const runs = ascii.match(/\d(?:[ -]?\d)*/g) ?? [];
    return runs.map((run) => run.replace(/[ -]/g, '')).find((run) => run.length === length);
  }
  const joined = ascii.replace(/[ -]/g, '');
  return joined.length === length ? joined : undefined;
}

/** @param {HTMLFormElement} form */
function codeForm(form) {
  const field = /** @type {HTMLInputElement} */ (form.elements.namedItem('code'));
  const length = Number(form.dataset.code);
  const numeric = 'numeric' in form.dataset;

  /** @param {string} code */
  const enter = (code) => {
    field.value = code;
    form.requestSubmit();
  };

  field.removeAttribute('maxlength'); // a keyboard may put the whole message in
  field.addEventListener('input', (event) => {
    if (/** @type {InputEvent} */ (event).isComposing) return;
    const code = findCode(field.value, length, numeric);
    if (code) enter(code);
    else field.value = asciiDigits(field.value);
  });
  field.addEventListener('compositionend', () => field.dispatchEvent(new InputEvent('input')));
  form.querySelectorAll('[data-script]').forEach((e) => { /** @type {HTMLElement} */ (e).hidden = false; });
  // The code may be in first. After a reload that is no news; a form that was sent, or a field left, is :user-valid.
  const early = visit() === 'navigate' && CSS.supports('selector(:user-valid)') && !field.matches(':user-valid') && findCode(field.value, length, numeric);
  if (early) enter(early);
  else receiveCode(form, enter);
}

/**
 * Takes the code out of the text message where the browser can (WebOTP), until the form is sent or the page is left.
 * @param {HTMLFormElement} form
 * @param {(code: string) => void} enter
 */
function receiveCode(form, enter) {
  if (!('OTPCredential' in window)) return;
  const stop = new AbortController();
  form.addEventListener('submit', () => stop.abort());
  addEventListener('pagehide', () => stop.abort());
  document.addEventListener('expired', () => stop.abort());
  navigator.credentials
    .get(/** @type {any} */ ({ otp: { transport: ['sms'] }, signal: stop.signal }))
    .then((received) => { if (received) enter(/** @type {any} */ (received).code); })
    .catch(() => { /* declined, aborted or not allowed here: the person types the code */ });
}

/**
 * Counts a wait down on screen, and says only its end aloud.
 * @param {HTMLElement} clock
 */
function countDown(clock) {
  const end = Date.now() + Number(clock.dataset.seconds) * 1000;
  const line = /** @type {HTMLElement} */ (clock.parentElement);
  const buttons = clock.closest('form')?.querySelectorAll('button') ?? [];
  buttons.forEach((b) => { b.disabled = true; });
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left > 0) {
      clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
      return;
    }
    clearInterval(timer);
    line.remove(); // not hidden: a hidden line would still describe the buttons
    buttons.forEach((b) => { b.disabled = false; });
    const live = document.getElementById('live');
    if (live) live.textContent = clock.dataset.over ?? '';
    if (line.id === 'expiry') document.dispatchEvent(new Event('expired'));
  };
  const timer = setInterval(tick, 1000);
  tick();
}

/** How the browser came to this page. */
function visit() {
  const [entry] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType('navigation'));
  return entry?.type;
}

/**
 * Sends the proof on to the app, unless the person came back to this page: then the button is there. A login is told
 * whether this device could make a passkey.
 * @param {HTMLFormElement} form
 */
async function returnProof(form) {
  document.querySelectorAll('[data-script]').forEach((e) => { /** @type {HTMLElement} */ (e).hidden = false; });
  if (visit() === 'back_forward') return;
  const able = form.elements.namedItem('passkeys');
  if (able instanceof HTMLInputElement && form.dataset.module) {
    const { canMake } = await import(form.dataset.module);
    if (await canMake()) able.value = 'yes';
  }
  form.requestSubmit();
}

/**
 * @param {string} solver where its module is
 * @param {object} asked
 * @returns {Promise<string | undefined>} the solution, found beside the page's own thread where that can be
 */
function inWorker(solver, asked) {
  return new Promise((resolve) => {
    const here = () => import(solver).then((module) => resolve(module.solve(asked)), () => resolve(undefined));
    try {
      const worker = new Worker(solver, { type: 'module' });
      worker.onmessage = (event) => { worker.terminate(); resolve(event.data); };
      worker.onerror = here;
      worker.postMessage(asked);
    } catch {
      here();
    }
  });
}

/**
 * Does the proof of work that was asked for, and sends the form again with it.
 * @param {HTMLFormElement} form
 */
async function solve(form) {
  const { challenge = '{}', solver = '', failed = '', channel } = form.dataset;
  const line = document.getElementById('working');
  if (line) line.hidden = false;
  const solution = await inWorker(solver, JSON.parse(challenge));
  if (!solution) {
    if (line) line.textContent = failed;
    return;
  }
  for (const [name, value] of [['challenge_response', solution], ['channel', channel]]) {
    if (value === undefined) continue;
    const field = document.createElement('input');
    field.type = 'hidden';
    field.name = /** @type {string} */ (name);
    field.value = value;
    form.append(field);
  }
  form.requestSubmit();
}

document.querySelectorAll('form[method=post]').forEach(/** @type {any} */ (sendOnce));
document.querySelectorAll('form[data-code]').forEach(/** @type {any} */ (codeForm));
document.querySelectorAll('form[data-return]').forEach(/** @type {any} */ (returnProof));
document.querySelectorAll('form[data-challenge]').forEach(/** @type {any} */ (solve));
document.querySelectorAll('[data-seconds]').forEach(/** @type {any} */ (countDown));

const phone = document.querySelector('input[type=tel]');
if (phone instanceof HTMLInputElement) {
  phone.form?.addEventListener('submit', () => { phone.value = asciiDigits(phone.value); });
}
