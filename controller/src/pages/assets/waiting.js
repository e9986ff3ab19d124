(() => {
  const main = document.querySelector('[data-events]');
  const shown = new Map();
  let heard = Date.now(), leaving = false;
  for (const e of main.children) if (e.id) shown.set(e.id, timeless(e.outerHTML));
  const again = () => { if (!leaving) { leaving = true; location.reload(); } };
  const patch = html => {
    const t = document.createElement('template');
    t.innerHTML = html;
    const ids = new Set();
    let before = main.firstElementChild;
    for (const e of [...t.content.children]) {
      const old = document.getElementById(e.id), same = timeless(e.outerHTML);
      ids.add(e.id);
      if (!old) { before.after(e); before = e; }
      else if (shown.get(e.id) === same) before = old;
      else if (old.hasAttribute('role')) { old.innerHTML = e.innerHTML; before = old; }
      else { old.replaceWith(e); before = e; }
      shown.set(e.id, same);
    }
    for (const id of [...shown.keys()]) if (!ids.has(id)) { document.getElementById(id)?.remove(); shown.delete(id); }
    document.title = document.getElementById('title').textContent;
  };
  const source = new EventSource(main.dataset.events);
  source.addEventListener('progress', e => { heard = Date.now(); patch(e.data); });
  source.addEventListener('go', () => {
    source.close();
    document.getElementById('title').textContent = 'Here it is';
    again();
  });
  source.addEventListener('end', () => source.close());
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) setTimeout(again, 4000); };
  setInterval(() => {
    tick(main, '[data-up],[data-down],[data-ago]');
    if (source.readyState !== EventSource.CLOSED && Date.now() - heard > 20000) again();
  }, 500);
  main.addEventListener('submit', e => {
    e.preventDefault();
    const button = e.target.querySelector('button');
    button.disabled = true;
    fetch(e.target.action, { method: 'POST' }).finally(() => {
      if (source.readyState === EventSource.CLOSED) again();
      setTimeout(() => { button.disabled = false; }, 3000);
    });
  });
})();
