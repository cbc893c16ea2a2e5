/* Offers only the key paths of the chosen event type, and says what a rule's value must look like.
   Without this script every path is offered and the server refuses the wrong ones. */
"use strict";
(() => {
  const start = () => {
    const source = document.getElementById("badges-key-paths");
    const eventType = document.getElementById("id_event_type");
    if (!source) {
      return;
    }
    const pathsByEvent = JSON.parse(source.textContent);
    const original = document.querySelector(".form-row.field-event_type .readonly");
    const chosenEvent = () => (eventType ? eventType.value : original ? original.textContent.trim() : "");

    const showHint = (select) => {
      const row = select.closest("tr, .inline-related");
      const hint = row && row.querySelector(".badges-hint");
      if (hint) {
        const entry = (pathsByEvent[chosenEvent()] || []).find((item) => item.path === select.value);
        hint.textContent = entry ? entry.hint : "";
      }
    };

    const offer = (select) => {
      const entries = pathsByEvent[chosenEvent()];
      if (!entries) {
        return;
      }
      const current = select.value;
      const empty = select.querySelector("option[value='']");
      const options = entries.map((item) => new Option(item.path, item.path));
      if (current && !entries.some((item) => item.path === current)) {
        options.push(new Option(current, current));
      }
      select.replaceChildren(...(empty ? [empty] : []), ...options);
      select.value = current;
    };

    const selects = (root) => root.querySelectorAll("select[data-badges-path]");
    const refresh = (root) => selects(root).forEach((select) => {
      offer(select);
      showHint(select);
    });

    if (eventType) {
      eventType.addEventListener("change", () => refresh(document));
    }
    document.addEventListener("change", (event) => {
      if (event.target.matches("select[data-badges-path]")) {
        showHint(event.target);
      }
    });
    document.addEventListener("formset:added", (event) => refresh(event.target));
    refresh(document);
  };
  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", start);
  } else {
    start();
  }
})();
