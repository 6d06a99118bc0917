// The demo's one script: when something moved, fetches this page again, lets each dot glide to its new place, and puts
// in the other parts that live. Forms, and whatever somebody has opened, are left alone.
(() => {
  'use strict';
  if (!('EventSource' in window)) return;
  let busy = false;
  let again = false;

  const glide = (here, fresh) => {
    for (const id of ['road-wide', 'road-narrow']) {
      const [old, now] = [here.getElementById(id), fresh.getElementById(id)];
      if (!old || !now) continue;
      old.setAttribute('viewBox', now.getAttribute('viewBox'));
      old.querySelector('.stops').replaceWith(now.querySelector('.stops'));
      const stale = new Map([...old.querySelectorAll('[data-dot]')].map((dot) => [dot.dataset.dot, dot]));
      for (const dot of [...now.querySelectorAll('[data-dot]')]) {
        const known = stale.get(dot.dataset.dot);
        if (!known) {
          old.querySelector('.dots').append(dot);
          continue;
        }
        stale.delete(dot.dataset.dot);
        for (const name of ['transform', 'class']) known.setAttribute(name, dot.getAttribute(name));
        known.querySelector('title').textContent = dot.querySelector('title').textContent;
      }
      for (const gone of stale.values()) gone.remove();
    }
  };

  const refresh = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
        glide(document, fresh);
        for (const part of document.querySelectorAll('[data-live]')) {
          const now = fresh.getElementById(part.id);
          const open = part.querySelector('details[open]') || part.contains(document.activeElement);
          if (now && !open && now.innerHTML !== part.innerHTML) part.innerHTML = now.innerHTML;
        }
      }
    } finally {
      busy = false;
      if (again) {
        again = false;
        refresh();
      }
    }
  };

  new EventSource('/demo/moves').addEventListener('moved', refresh);
})();
