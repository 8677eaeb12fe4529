// Which instances are pointed at and taken.

import { instanceColour } from './instances.js';
import { render } from './stage.js';
import { $, state } from './state.js';

export function listInstances() {
  const buttons = state.shown.annotations.map((one, k) => {
    const button = Object.assign(document.createElement('button'), { type: 'button' });
    const dot = Object.assign(document.createElement('span'), { className: 'dot' });
    dot.style.background = `rgb(${instanceColour(k).join(' ')})`;
    button.append(dot, `Instance ${k + 1}, score ${one.score.toFixed(2)}`);
    button.addEventListener('click', () => toggle(k));
    for (const event of ['pointerenter', 'focus']) button.addEventListener(event, () => point(k));
    for (const event of ['pointerleave', 'blur']) button.addEventListener(event, () => point(-1));
    const row = document.createElement('li');
    row.append(button);
    return row;
  });
  $('instances').replaceChildren(...buttons);
  updateInstances();
}

export function updateInstances() {
  [...$('instances').children].forEach((row, k) => {
    row.firstChild.setAttribute('aria-pressed', String(state.settings.taken[k]));
    row.firstChild.classList.toggle('pointed', k === state.settings.pointed);
  });
}

export function point(k) {
  if (state.settings.pointed === k) return;
  state.settings.pointed = k;
  $('frame').style.cursor = k < 0 ? '' : 'pointer';
  updateInstances();
  render();
}

export function toggle(k) {
  if (k < 0) return;
  state.settings.taken[k] = !state.settings.taken[k];
  updateInstances();
  render();
}
