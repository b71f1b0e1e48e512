// Keeps the inbox live: whenever the server says that something changed, the page is asked for again and what is new
// in it is put into this one. Where there is no stream of events, it asks every second.

const list = /** @type {HTMLElement} */ (document.getElementById('messages'));
const news = /** @type {HTMLElement} */ (document.getElementById('news'));
const empty = /** @type {HTMLButtonElement} */ (document.getElementById('empty'));
const clock = /** @type {HTMLElement} */ (document.getElementById('clock'));

/** @param {ParentNode} within */
const items = (within) => /** @type {HTMLElement[]} */ ([...within.querySelectorAll('[data-id]')]);

/**
 * Shows the times of arrival as this browser's clock has them.
 * @param {HTMLElement[]} arrived
 */
function localTimes(arrived) {
  for (const item of arrived) {
    const time = item.querySelector('time');
    if (time) time.textContent = new Date(time.dateTime).toLocaleTimeString();
  }
}

/** @param {HTMLElement[]} wanted newest first */
function show(wanted) {
  const ids = new Set(wanted.map((item) => item.dataset.id));
  const shown = new Set(items(list).map((item) => item.dataset.id));
  items(list).filter((item) => !ids.has(item.dataset.id)).forEach((item) => item.remove());
  const fresh = wanted.filter((item) => !shown.has(item.dataset.id));
  localTimes(fresh);
  fresh.forEach((item) => item.classList.add('new'));
  list.prepend(...fresh);
  if (fresh.length) news.textContent = `New message to ${fresh[0].dataset.to}`;
  empty.hidden = wanted.length === 0;
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href);
    if (answer.ok) show(items(new DOMParser().parseFromString(await answer.text(), 'text/html')));
  } catch { /* the server is being restarted: the next event or second asks again */ }
}

function listen() {
  const events = new EventSource('/dev/inbox/events');
  events.onopen = refresh; // also after a break, in which something may have come
  events.onmessage = refresh;
  events.onerror = () => {
    if (events.readyState === EventSource.CLOSED) setInterval(refresh, 1000);
  };
  addEventListener('pagehide', () => events.close());
}

function tell() {
  clock.textContent = new Date().toLocaleTimeString([], { hour: 'numeric', minute: '2-digit' });
}

empty.addEventListener('click', async () => {
  const answer = await fetch('/dev/inbox.json', { method: 'DELETE' });
  if (answer.ok) show([]);
});
document.addEventListener('visibilitychange', refresh);
localTimes(items(list));
empty.hidden = items(list).length === 0;
tell();
setInterval(tell, 10_000);
listen();
addEventListener('pageshow', (event) => { if (event.persisted) listen(); });
