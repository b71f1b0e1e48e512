// Copy buttons: one on every block of code, and on whatever has data-copy. Where the clipboard cannot be written (no
// script, plain http from another host) none is shown, and the text can be selected by hand.

const spoken = document.createElement('p');
spoken.role = 'status';
spoken.className = 'visually-hidden';

/** @param {HTMLButtonElement} button */
async function copy(button) {
  const text = button.dataset.copy ?? button.parentElement?.querySelector('pre')?.textContent ?? '';
  const label = /** @type {ChildNode} */ (button.firstChild);
  const before = button.dataset.label ??= label.textContent ?? '';
  try {
    await navigator.clipboard.writeText(text);
    label.textContent = 'Copied';
  } catch {
    label.textContent = 'Not allowed';
  }
  spoken.textContent = label.textContent;
  setTimeout(() => {
    label.textContent = before;
    spoken.textContent = '';
  }, 1500);
}

if (navigator.clipboard) {
  document.documentElement.classList.add('can-copy');
  document.body.append(spoken);
  document.querySelectorAll('.code').forEach((block) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'small copy';
    button.textContent = 'Copy';
    block.append(button);
  });
  document.addEventListener('click', (event) => {
    const button = /** @type {Element} */ (event.target).closest('.copy');
    if (button instanceof HTMLButtonElement) copy(button);
  });
}
