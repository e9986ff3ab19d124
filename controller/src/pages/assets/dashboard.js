(() => {
  const $ = id => document.getElementById(id);
  const main = document.querySelector('main'), rows = $('rows'), table = rows.parentElement;
  const find = $('find'), counts = $('counts'), link = $('link'), said = $('said');
  const proof = document.querySelector('meta[name=proof]').content;
  const shown = new Map(), waiting = new Map(), panels = new Map();
  let only = '', due = false, quiet = 0;
  for (const e of rows.children) shown.set(e.dataset.name, timeless(e.outerHTML));
  find.hidden = counts.hidden = false;

  const matches = row => (!only || row.dataset.state === only) && row.dataset.find.includes(find.value.trim().toLowerCase());
  const sift = () => {
    let any = false;
    for (const row of rows.children) { const yes = matches(row); any ||= yes; if (row.hidden === yes) row.hidden = !yes; }
    $('nothing').hidden = any || !rows.children.length;
    table.hidden = !rows.children.length;
    $('none').hidden = !!rows.children.length;
  };
  const count = () => {
    const found = {};
    for (const row of rows.children) found[row.dataset.state] = (found[row.dataset.state] || 0) + 1;
    for (const chip of counts.children) {
      const n = found[chip.dataset.only] || 0;
      say(chip.firstElementChild, String(n));
      chip.classList.toggle('zero', !n);
    }
  };
  const element = html => {
    const t = document.createElement('template');
    t.innerHTML = html;
    return t.content.firstElementChild;
  };
  // Only what has changed is touched, once a frame.
  const flush = () => {
    due = false;
    let changed = false;
    for (const [name, html] of waiting) {
      const old = $('s-' + name);
      if (html === null) { old?.remove(); shown.delete(name); changed = true; continue; }
      const row = element(html), same = timeless(row.outerHTML);
      if (shown.get(name) === same) continue;
      shown.set(name, same);
      changed = true;
      row.hidden = !matches(row);
      if (old) {
        const focused = old.contains(document.activeElement) && document.activeElement.dataset.do;
        if (old.dataset.state !== row.dataset.state) row.className = 'new';
        old.replaceWith(row);
        if (focused) (row.querySelector(`[data-do=${focused}]`) || row.querySelector('button')).focus();
      } else {
        let at = null;
        for (const next of rows.children) if (next.dataset.name > name) { at = next; break; }
        rows.insertBefore(row, at);
      }
    }
    waiting.clear();
    if (changed) { count(); sift(); }
  };
  const later = (name, html) => {
    waiting.set(name, html);
    if (!due) { due = true; requestAnimationFrame(flush); }
  };
  const panel = html => {
    const e = element(html), same = timeless(e.outerHTML);
    if (panels.get(e.id) === same) return;
    panels.set(e.id, same);
    const old = $(e.id), log = old.querySelector('.log'), top = log ? log.scrollTop : 0;
    old.replaceWith(e);
    if (top) e.querySelector('.log').scrollTop = top;
  };

  const tell = text => { say(said, text); clearTimeout(quiet); quiet = setTimeout(() => say(said, ''), 5000); };
  const open = () => {
    const source = new EventSource(main.dataset.stream);
    source.onopen = () => { link.className = 'soft live'; say(link, 'live'); };
    source.onerror = () => {
      link.className = 'lost';
      say(link, 'not connected: trying again');
      if (source.readyState === EventSource.CLOSED) setTimeout(() => fetch(location.href).then(r => r.status === 401 ? location.reload() : open(), open), 3000);
    };
    source.addEventListener('row', e => { const at = e.data.indexOf(' '); later(e.data.slice(0, at), e.data.slice(at + 1)); });
    source.addEventListener('deleted', e => later(e.data, null));
    source.addEventListener('panel', e => panel(e.data));
  };

  const acts = { wake: ['wake', n => `${n} is being woken`], sleep: ['sleep', n => `${n} is being put to sleep`], keep: ['wake?for=2h', n => `${n} is kept awake for 2 hours`] };
  main.addEventListener('click', async e => {
    const button = e.target.closest('button');
    if (!button) return;
    if (button.dataset.only) {
      only = only === button.dataset.only ? '' : button.dataset.only;
      for (const chip of counts.children) chip.setAttribute('aria-pressed', String(chip.dataset.only === only));
      return sift();
    }
    const name = button.closest('tr').dataset.name, [call, done] = acts[button.dataset.do];
    button.disabled = true;
    try {
      const answer = await fetch(`/v1/services/${name}/${call}`, { method: 'POST', headers: { 'x-dormouse-proof': proof } });
      if (answer.ok) tell(done(name));
      else if (answer.status === 401) location.reload();
      else tell((await answer.json()).detail || `it was refused: ${answer.status}`);
    } catch { tell('the controller cannot be reached'); }
    button.disabled = false;
  });
  find.addEventListener('input', sift);
  addEventListener('keydown', e => {
    if (e.key === '/' && document.activeElement !== find) { e.preventDefault(); find.focus(); }
    if (e.key === 'Escape' && document.activeElement === find) { find.value = ''; sift(); }
  });
  setInterval(() => tick(document, '[data-down]'), 1000);
  setInterval(() => tick(document, '[data-ago]'), 15000);
  count();
  sift();
  open();
})();
