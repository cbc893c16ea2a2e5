/* Copies what a button names, and says so. Without this script the text can still be selected. */
"use strict";
(() => {
  const copy = async (text) => {
    if (navigator.clipboard && window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return;
    }
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-badges-copy]");
    if (!button) {
      return;
    }
    await copy(button.dataset.badgesCopy);
    button.textContent = button.dataset.badgesCopied;
    button.focus();
  });
})();
