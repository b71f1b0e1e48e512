// The nonce comes from our server and the proof goes to it: what the page itself believes does not count.

import './countersign/element.js';

const form = document.querySelector('countersign-verify');

form.nonceFrom = async () => (await fetch('nonce', { method: 'POST' })).text();

form.onapproved = async ({ proof }) => {
  const answer = await fetch('verified', { method: 'POST', body: proof });
  if (!answer.ok) throw new Error(await answer.text());
  document.querySelector('#result').textContent = await answer.text();
};
