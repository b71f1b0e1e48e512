// How the styled forms look. One text for the web component, which adopts it, and for dist/styles.css, which scripts/
// styles.mjs writes. Everything is under .countersign and follows the page's font and its
// color-scheme: a page that is light for everybody has a light form. Colours are custom properties. It stands in a layer, so
// that whatever the page says of these classes holds; distances are gaps of grids, because pages take margins off paragraphs.

export const css = `@layer countersign {
.countersign {
  --countersign-accent: light-dark(#2a4fc9, #9db6ff);
  --countersign-on-accent: light-dark(#fff, #0d1530);
  --countersign-text: light-dark(#171a21, #e9ebf1);
  --countersign-quiet: light-dark(#565d6c, #a5adbd);
  --countersign-edge: light-dark(#838a99, #788194);
  --countersign-field: light-dark(#fff, #171a21);
  --countersign-bad: light-dark(#a8161f, #ff9d9d);
  --countersign-bad-soft: light-dark(#fdf0f0, #341a1d);
  display: block;
  max-inline-size: 26rem;
  color: var(--countersign-text);
  line-height: 1.5;
}
.countersign *, .countersign ::before { box-sizing: border-box; }
.countersign [hidden] { display: none !important; }
.countersign form, .countersign p, .countersign dl { margin: 0; }
.countersign form, .countersign .cs-again { display: grid; gap: .75rem; }
.countersign form > div { display: grid; gap: .375rem; }
.countersign .cs-again { margin-block-start: 1rem; }
.countersign label { font-weight: 600; }
.countersign input {
  inline-size: 100%;
  min-block-size: 3rem;
  padding: .5rem .75rem;
  font: inherit;
  font-size: 1.0625rem;
  color: inherit;
  background: var(--countersign-field);
  border: 1px solid var(--countersign-edge);
  border-radius: .625rem;
}
.countersign .cs-code { font-size: 1.5rem; font-weight: 600; letter-spacing: .25em; font-variant-numeric: tabular-nums; }
.countersign input[aria-invalid=true] { border-color: var(--countersign-bad); }
.countersign button {
  display: block;
  inline-size: 100%;
  min-block-size: 3rem;
  padding: .5rem 1rem;
  font: inherit;
  font-weight: 600;
  color: inherit;
  background: transparent;
  border: 1px solid var(--countersign-edge);
  border-radius: .625rem;
  cursor: pointer;
}
.countersign .cs-go { color: var(--countersign-on-accent); background: var(--countersign-accent); border-color: transparent; }
.countersign .cs-change { display: inline; inline-size: auto; min-block-size: 2.75rem; margin-inline: -.5rem; padding-inline: .5rem; border: 0; color: var(--countersign-accent); font-weight: 500; text-decoration: underline; }
.countersign button:disabled { opacity: .65; cursor: default; }
.countersign .cs-hint { color: var(--countersign-quiet); font-size: .875rem; }
.countersign .cs-to { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; column-gap: 1rem; margin-block: -.75rem -.5rem; font-weight: 600; font-size: 1.0625rem; font-variant-numeric: tabular-nums; }
.countersign .cs-problem { padding: .625rem .75rem; color: var(--countersign-bad); background: var(--countersign-bad-soft); border-radius: .625rem; font-weight: 500; }
.countersign .cs-transaction { padding: .25rem .75rem; border: 1px solid var(--countersign-edge); border-radius: .625rem; }
.countersign .cs-transaction div { display: flex; justify-content: space-between; gap: 1rem; padding-block: .375rem; }
.countersign dt { color: var(--countersign-quiet); }
.countersign dd { margin: 0; font-weight: 600; text-align: end; overflow-wrap: anywhere; }
.countersign .cs-live { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
.countersign :focus-visible { outline: 3px solid var(--countersign-accent); outline-offset: 2px; }
}
`;
