'use strict';
const ahead = Date.now() - Number(document.documentElement.dataset.now);
const now = () => Date.now() - ahead;
const words = ms => {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return s + ' s';
  if (s < 600) return Math.floor(s / 60) + ' min' + (s % 60 ? ' ' + s % 60 + ' s' : '');
  if (s < 3600) return Math.floor(s / 60) + ' min';
  const m = Math.floor(s / 60);
  if (m < 2880) return Math.floor(m / 60) + ' h' + (m % 60 ? ' ' + m % 60 + ' min' : '');
  return Math.floor(m / 1440) + ' d';
};
const say = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const tick = (root, kinds) => {
  for (const e of root.querySelectorAll(kinds)) {
    const { up, down, ago } = e.dataset;
    if (e.tagName === 'PROGRESS') e.value = Math.min(now() - up, e.max * .97);
    else if (up) say(e, words(now() - up));
    else if (down) say(e, words(down - now()));
    else say(e, now() - ago < 5000 ? 'just now' : words(now() - ago) + ' ago');
  }
};
// What only time has changed is the same.
const timeless = html => html.replace(/(data-(?:up|down|ago)="\d+")>[^<]*/g, '$1>').replace(/ value="[\d.]*"/g, '');
