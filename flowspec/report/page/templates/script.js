"use strict";
(() => {
  const announce = (text) => { document.getElementById("announce").textContent = text; };

  // Buttons do nothing without a script, so that they are shown by it.
  const showButtons = (top) => top.querySelectorAll("button[hidden]").forEach((one) => { one.hidden = false; });

  const copyByCommand = (text) => {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  };

  const copy = async (button) => {
    const text = button.closest(".copyable").querySelector("code").textContent;
    let done = true;
    try { await navigator.clipboard.writeText(text); } catch { done = copyByCommand(text); }
    const label = button.textContent;
    button.textContent = done ? "Copied" : "Not copied";
    announce(button.textContent);
    button.focus();
    setTimeout(() => { button.textContent = label; }, 1500);
  };

  const fold = (selector, open) =>
    document.querySelectorAll(`${selector} details`).forEach((one) => { one.open = open; });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if ("copy" in button.dataset) copy(button);
    else if (button.dataset.unfold) fold(button.dataset.unfold, true);
    else if (button.dataset.fold) fold(button.dataset.fold, false);
  });

  // What a link leads to may be folded.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    target.scrollIntoView();
  };
  window.addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.getAttribute("href") === location.hash) reveal();
  });

  // Paper has no folds: the steps with their logs are printed; hundreds of rows of a timeline stay folded.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details.step:not([open]), #emr-says:not([open]), #request:not([open])")];
    folded.forEach((one) => { one.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));

  const endOf = (one) => one.scrollTop + one.clientHeight >= one.scrollHeight - 4;
  const showEnd = (one) => {
    const mark = one.querySelector("mark");
    one.scrollTop = mark ? mark.offsetTop - one.clientHeight / 2 : one.scrollHeight;
  };

  // An element is found again by the part it is in, and its number there.
  const FOCUSABLE = "a, button, summary, [tabindex]";
  const placeOf = (one) => {
    const part = one.closest("[id]");
    return { id: part.id, index: [...part.querySelectorAll(FOCUSABLE)].indexOf(one) };
  };
  const at = ({ id, index }) => {
    const part = document.getElementById(id);
    return index < 0 ? part : part?.querySelectorAll(FOCUSABLE)[index];
  };

  // A page of a running cluster reads itself again; what is unfolded, focused and scrolled stays so.
  const exchange = (page) => {
    const before = document.getElementById("main");
    const after = page.getElementById("main");
    const seconds = page.documentElement.dataset.live;
    if (seconds) document.documentElement.dataset.live = seconds;
    else delete document.documentElement.dataset.live;
    showButtons(after);
    if (before.innerHTML === after.innerHTML) return;
    const open = new Map([...before.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
    after.querySelectorAll("details[id]").forEach((one) => { if (open.has(one.id)) one.open = open.get(one.id); });
    if (before.innerHTML === after.innerHTML) return;
    const scrolled = new Map([...before.querySelectorAll("pre.log[id]")].map((one) => [one.id, endOf(one) ? -1 : one.scrollTop]));
    const focused = before.contains(document.activeElement) ? placeOf(document.activeElement) : null;
    before.replaceChildren(...after.childNodes);
    if (focused) at(focused)?.focus({ preventScroll: true });
    before.querySelectorAll("pre.log[id]").forEach((one) => {
      const top = scrolled.get(one.id) ?? -1;
      if (top < 0) showEnd(one);
      else one.scrollTop = top;
    });
    if (document.title !== page.title) { document.title = page.title; announce(page.title); }
  };

  const update = async () => {
    // Not while a text is selected to be copied.
    const busy = document.hidden || !document.getSelection().isCollapsed;
    try {
      if (!busy) {
        const answer = await fetch(location.pathname + location.search, { cache: "no-store" });
        if (!answer.ok) throw new Error(String(answer.status));
        exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
        announceOnce("");
      }
    } catch { announceOnce("The embedded EMR does not answer: this page is not updated."); }
    next();
  };
  let announced = "";
  const announceOnce = (text) => { if (text !== announced) announce(text); announced = text; };
  const next = () => {
    const seconds = Number(document.documentElement.dataset.live);
    if (seconds) setTimeout(update, seconds * 1000);
  };

  showButtons(document);
  document.querySelectorAll("pre.log[id]").forEach(showEnd);
  // A folded log has no height to scroll in.
  document.addEventListener("toggle", (event) => event.target.querySelectorAll?.("pre.log[id]").forEach(showEnd), true);
  reveal();
  next();
})();
