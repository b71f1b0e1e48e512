// Passkeys on the hosted page. A form for them stays hidden where the browser has none.

const library = window.PublicKeyCredential;
const able = library && 'parseRequestOptionsFromJSON' in library;

let waiting = new AbortController(); // of the autofill: a dialog must not find it open

/**
 * Asks the device, and sends the form with its answer.
 * @param {HTMLFormElement} form
 * @param {CredentialRequestOptions} [how]
 */
async function ask(form, how) {
  const { elements, dataset } = form;
  const { ceremony, public_key: json } = await (await fetch(dataset.passkey ?? '')).json();
  const credential = 'create' in dataset
    ? await navigator.credentials.create({ publicKey: library.parseCreationOptionsFromJSON(json) })
    : await navigator.credentials.get({ ...how, publicKey: library.parseRequestOptionsFromJSON(json) });
  Object.assign(elements.namedItem('ceremony') ?? {}, { value: ceremony });
  Object.assign(elements.namedItem('credential') ?? {}, { value: JSON.stringify(credential) });
  form.requestSubmit();
}

/** @param {HTMLFormElement} form */
async function autofill(form) {
  for (let again = await library.isConditionalMediationAvailable?.(); again;) {
    again = false;
    waiting = new AbortController();
    // A ceremony lasts for five minutes.
    const timer = setTimeout(() => { again = true; waiting.abort(); }, 240_000);
    await ask(form, { mediation: 'conditional', signal: waiting.signal }).catch(() => {});
    clearTimeout(timer);
  }
}

/** @param {HTMLFormElement} form */
function passkeyForm(form) {
  const button = form.querySelector('button');
  const line = form.querySelector('p');
  if (!button || !line) return;
  const later = /** @type {HTMLFormElement | null} */ (document.querySelector('form[data-later]'));
  form.hidden = false;
  button.onclick = async () => {
    waiting.abort();
    button.disabled = true;
    await ask(form).catch((error) => {
      if (later && error.name === 'InvalidStateError') later.requestSubmit(); // the device has one already
      line.textContent = line.dataset.failed ?? '';
      document.getElementById('phone')?.focus();
    });
    button.disabled = false;
  };
  if (!later) autofill(form);
}

/** Whether this device can make a passkey by itself. */
export const canMake = async () => able && library.isUserVerifyingPlatformAuthenticatorAvailable();

for (const form of able ? document.forms : []) {
  // Under another name than its own the server has no passkeys.
  if (form.dataset.passkey && new URL(form.action).origin === location.origin) passkeyForm(form);
}
