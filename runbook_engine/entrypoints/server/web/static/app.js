// Keeps a page as things are now, where it can be done without taking anything from under somebody's hands.
"use strict";
(() => {
  const EVERY = 10000;
  const LEAST_REST = 1000;
  const live = document.getElementById("live");
  const news = document.getElementById("news");
  const path = location.pathname + location.search;
  let waiting = false;
  let asking = false;
  let again = false;
  let source = null;
  let mark = "";

  const main = () => document.getElementById("main");

  const say = (text, away) => {
    live.textContent = text;
    live.classList.toggle("away", Boolean(away));
  };

  const outOfTouch = () => say("Not updated since " + main().dataset.at, true);

  const isChanged = (field) => {
    if (field.type === "hidden") return false;
    if (field.type === "radio" || field.type === "checkbox") return field.checked !== field.defaultChecked;
    if (field.tagName === "SELECT") return [...field.options].some((each) => each.selected !== each.defaultSelected);
    return "defaultValue" in field && field.value !== field.defaultValue;
  };

  // Somebody writes, or is about to press a button: what they see must stay where it is.
  const isBusy = () => {
    const active = document.activeElement;
    if (active && active.closest && active.closest("main form")) return true;
    if (main().querySelector("button:hover, select:hover, summary:hover")) return true;
    if (!getSelection().isCollapsed) return true;
    return [...main().querySelectorAll("input, textarea, select")].some(isChanged);
  };

  const nameOf = (element) =>
    element && main().contains(element) && element !== main()
      ? element.id || (element.tagName === "SUMMARY" ? element.parentElement.id : element.getAttribute("href"))
      : "";

  const find = (name, tag) =>
    [...main().querySelectorAll("a, summary, [id]")].find((each) => each.tagName === tag && nameOf(each) === name);

  const localTimes = () => {
    for (const each of document.querySelectorAll("main time[datetime]")) {
      each.title = new Date(each.dateTime).toLocaleString() + " here";
    }
  };

  // A question lapses by the runner's clock, whatever the one here says.
  let skew = 0;
  const setClock = () => {
    skew = Date.parse(main().dataset.now) - Date.now();
  };

  const countDown = () => {
    for (const each of document.querySelectorAll("[data-until]")) {
      const left = Math.max(0, Math.floor((Date.parse(each.dataset.until) - Date.now() - skew) / 1000));
      const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
      each.textContent = [[hours, "h"], [minutes, "m"], [seconds, "s"]]
        .filter(([number]) => number).map(([number, unit]) => number + unit).join("") || "0s";
    }
  };

  // What a page says, without ages and times: those pass also where nothing happens.
  const gist = (element) => element.textContent.replace(/(\d[\d:.]*[smhd]?)+/g, "");

  const swap = (page) => {
    const old = main();
    const fresh = page.getElementById("main");
    if (gist(old) !== gist(fresh)) document.getElementById("notice").replaceChildren();
    const open = new Map([...old.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
    for (const each of fresh.querySelectorAll("details[id]")) if (open.has(each.id)) each.open = open.get(each.id);
    const focused = document.activeElement;
    const name = nameOf(focused);
    const tag = focused ? focused.tagName : "";
    const wasMain = focused === old;
    const [x, y] = [scrollX, scrollY];
    const heading = old.querySelector("h1").textContent;
    old.replaceWith(document.adoptNode(fresh));
    document.title = page.title;
    const target = wasMain ? main() : name && find(name, tag);
    if (target) target.focus({ preventScroll: true });
    scrollTo(x, y);
    const said = main().querySelector("h1").textContent;
    if (said !== heading) news.textContent = said;
    localTimes();
    setClock();
  };

  const signedOut = () => {
    source?.close();
    clearInterval(poll);
    say("You are signed out: ", true);
    const link = document.createElement("a");
    link.href = "/sign-in?back=" + encodeURIComponent(path);
    link.textContent = "sign in again";
    live.append(link);
  };

  const refresh = async () => {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    const begun = Date.now();
    try {
      const options = { headers: { "X-Requested-With": "live" }, redirect: "manual", cache: "no-store" };
      const answer = await fetch(path, { ...options, signal: AbortSignal.timeout(20000) });
      if (answer.type === "opaqueredirect" || answer.status === 401) return signedOut();
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      waiting = isBusy();
      if (waiting) {
        say("There is news: it is shown once you are done here");
      } else {
        swap(page);
        say("Live, as of " + main().dataset.at);
      }
    } catch {
      outOfTouch();
    } finally {
      // In a storm a page is long and news come every second: who shows it must not be who keeps it from being worked.
      setTimeout(() => {
        asking = false;
        if (again) refresh();
        again = false;
      }, Math.max(LEAST_REST, 5 * (Date.now() - begun)));
    }
  };

  // Whoever only polls, or could not be shown the news before, asks again; whoever listens is told.
  const poll = setInterval(() => {
    if (document.hidden) return;
    const listens = source && source.readyState === EventSource.OPEN;
    if (!listens || waiting || live.classList.contains("away")) refresh();
    if (source && source.readyState === EventSource.CLOSED) listen();
  }, EVERY);

  function listen() {
    source = new EventSource("/live");
    source.addEventListener("away", outOfTouch);
    source.addEventListener("changed", (event) => {
      if (event.data === mark && !live.classList.contains("away")) return;
      mark = event.data;
      refresh();
    });
  }

  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  document.addEventListener("focusout", () => setTimeout(() => waiting && !isBusy() && refresh(), 200));
  setInterval(countDown, 1000);
  localTimes();
  setClock();
  listen();
})();
