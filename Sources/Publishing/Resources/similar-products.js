/*! imgrec-agent similar-products 1 | Apache-2.0
 * <similar-products product="dress/dress-001" src="/recommendations" images="/photos/"></similar-products>
 *
 *   product       the product's id
 *   src           the output folder, a product's file or all.json; default: the folder of this script (a module needs it)
 *   images        the address of the photos' folder; not needed where files have imageURL
 *   link          the address of a product's page, with {product} in it; default: its attribute "url", or no link
 *   label         what the list is called for those who do not see it (default: Similar products)
 *   limit         the most that are shown
 *   shard-digits  output.shard_digits, where output.layout is "sharded"
 *   version       anything that changes when the files do, for caches
 *
 * A <template> in it is the card: data-text="title", data-src="image", data-href="url" name what is put in. Other content
 * is shown until the list is there, and stays where there is none. Events: similar-products:load and, cancelable,
 * similar-products:click, with { product, recommendation, rank, score } in detail. Docs/in-your-shop.md has more.
 */
(() => {
  "use strict";
  const home = new URL(".", document.currentScript?.src || document.baseURI).href;
  const utf8 = new TextEncoder();
  const hex = byte => byte.toString(16).padStart(2, "0");

  const css = `
:host { display: block; --size: var(--similar-products-size, clamp(8rem, calc((100% - 4rem) / 5), 13rem)); }
:host([hidden]) { display: none; }
ul { display: grid; grid-auto-flow: column; grid-auto-columns: var(--size); justify-content: start;
  gap: var(--similar-products-gap, 1rem); margin: 0; padding: 0; list-style: none; overflow-x: auto;
  scroll-snap-type: x proximity; scrollbar-width: thin; }
li { scroll-snap-align: start; min-width: 0; }
a, .card { display: block; color: inherit; text-decoration: none; border-radius: 4px; }
a:hover .name, a:focus-visible .name { text-decoration: underline; }
:focus-visible { outline: 3px solid; outline-offset: -3px; }
img, .empty { display: block; width: 100%; height: auto; aspect-ratio: var(--similar-products-ratio, 1);
  object-fit: var(--similar-products-fit, contain); background: color-mix(in srgb, currentColor 5%, transparent); }
.name { height: 2.8em; height: 2lh; margin-top: .4em; overflow: hidden; line-height: 1.4; overflow-wrap: anywhere;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; }
.price { min-height: 1.4em; line-height: 1.4; font-weight: 600; }`;

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);

  function element(name, attributes, ...children) {
    const node = document.createElement(name);
    for (const key in attributes) if (attributes[key] != null) node.setAttribute(key, attributes[key]);
    node.append(...children);
    return node;
  }

  // Docs/output.md, "Names of files".
  function path(id, shard) {
    const parts = id.split("/").map(part => {
      if (!part) return ["%%"];
      const pieces = [""];
      let length = 0;
      [...part].forEach((character, index) => {
        const code = character.codePointAt(0), isByte = code >= 0xF700 && code <= 0xF7FF;
        const isUnsafe = code < 32 || code > 126 && code < 160 || character === "%" || character === "\\" || isByte
          || !index && (part === "." || part === "..");
        const units = isUnsafe
          ? (isByte ? [code - 0xF700] : [...utf8.encode(character)]).map(byte => "%" + hex(byte).toUpperCase())
          : [character];
        for (const unit of units) {
          const size = utf8.encode(unit).length;
          if (length + size > 240) length = 0, pieces.push("");
          length += size;
          pieces[pieces.length - 1] += unit;
        }
      });
      return pieces.map((piece, index) =>
        (/^\.\.?$/.test(piece) ? "%2E" + piece.slice(1) : piece) + (index < pieces.length - 1 ? "%" : ""));
    });
    const folders = parts.flat(), file = folders.pop() + ".json";
    return ["products", ...shard, ...folders.map(folder => folder.replace(/\.json$/, "%2Ejson")), file]
      .map(encodeURIComponent).join("/");
  }

  async function shard(id, digits) {
    if (!digits) return [];
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", utf8.encode(id)));
    return [[...digest.subarray(0, 2)].map(hex).join("").slice(0, digits)];
  }

  // A path as an address has it; bytes that are not UTF-8 are private-use characters in the documents.
  const encodePath = text => [...text].map(character => {
    const code = character.codePointAt(0);
    return code >= 0xF700 && code <= 0xF7FF ? "%" + hex(code - 0xF700) : character === "/" ? "/" : encodeURIComponent(character);
  }).join("");

  const folder = address => address.replace(/([^/=])$/, "$1/");

  // Nothing but a page's address becomes a link.
  function address(text) {
    try {
      const url = new URL(text, document.baseURI);
      return /^(https?|file):$/.test(url.protocol) ? url.href : null;
    } catch { return null; }
  }

  class SimilarProducts extends HTMLElement {
    static observedAttributes = ["product", "src", "images", "link", "label", "limit", "shard-digits", "version"];
    #root = this.attachShadow({ mode: "open" });
    #near = new IntersectionObserver(entries => {
      if (entries.some(entry => entry.isIntersecting)) { this.#near.disconnect(); this.#load(); }
    }, { rootMargin: "800px" });
    #loading;

    constructor() {
      super();
      // Not an element: a page may allow no inline styles.
      this.#root.adoptedStyleSheets = [sheet];
    }

    connectedCallback() { this.#begin(); }
    disconnectedCallback() { this.#near.disconnect(); this.#loading?.abort(); }
    attributeChangedCallback(_, before, after) { if (this.isConnected && before !== after) this.#begin(); }

    get #limit() {
      const limit = Number(this.getAttribute("limit"));
      return limit > 0 ? limit : Infinity;
    }

    // Takes the room that the list will have: what comes below does not move.
    #begin() {
      this.#loading?.abort();
      if (!this.#root.firstChild) {
        const hasContent = [...this.childNodes].some(node =>
          node instanceof Element ? !node.matches("template, [slot]") : node instanceof Text && node.data.trim());
        const cards = Array.from({ length: Math.min(this.#limit, 5) }, () => element("li", {}, element("div", { class: "card" },
          element("div", { class: "empty" }), element("div", { class: "name" }), element("div", { class: "price" }))));
        this.#root.replaceChildren(...hasContent ? [element("slot")]
          : [element("slot", { name: "heading" }), element("ul", { "aria-hidden": "true" }, ...cards)]);
      }
      this.#near.disconnect();
      this.#near.observe(this);
    }

    async #load() {
      const loading = this.#loading = new AbortController();
      let cards = [];
      try {
        const id = this.getAttribute("product") ?? "";
        const source = this.getAttribute("src") ?? home;
        const url = new URL(/\.json$/.test(source) ? source
          : folder(source) + path(id, await shard(id, Number(this.getAttribute("shard-digits")))), this.baseURI);
        if (this.hasAttribute("version")) url.searchParams.set("v", this.getAttribute("version"));
        // From disk a page may read no file.
        if (url.protocol === "file:") throw url;
        const response = await fetch(url, { signal: loading.signal });
        const file = response.ok ? await response.json() : {};
        // Of another version nothing is known.
        const found = file.schemaVersion > 1 ? {} : file.products ? file.products[id] : file;
        cards = (found.recommendations ?? []).slice(0, this.#limit).map((one, index) => this.#card(one, index + 1));
      } catch { cards = []; }
      if (loading.signal.aborted) return;
      this.#show(cards);
      this.#tell("load", { product: this.getAttribute("product"), count: cards.length });
    }

    #show(cards) {
      if (!cards.length) return this.#root.replaceChildren(element("slot"));
      const list = element("ul", { part: "list", role: "list", "aria-label": this.getAttribute("label") ?? "Similar products" },
        ...cards.map(card => element("li", { part: "item" }, card)));
      // What can be scrolled can be reached by key.
      if (!list.querySelector("a[href], button")) list.tabIndex = 0;
      this.#root.replaceChildren(element("slot", { name: "heading" }), list);
    }

    #card(one, rank) {
      const link = this.getAttribute("link");
      const title = one.attributes?.title || one.product.split("/").pop().replace(/[-_]+/g, " ").replace(/^./u, c => c.toUpperCase());
      const values = {
        ...one.attributes, title, product: one.product, score: one.score.toFixed(3),
        image: one.imageURL ?? address(folder(this.getAttribute("images") ?? "") + encodePath(one.image)),
        url: address(one.attributes?.url || link?.replaceAll("{product}", encodePath(one.product)) || null),
      };
      if (!one.attributes?.url && !link) values.url = null;
      const template = this.querySelector(":scope > template");
      const card = template ? this.#fill(template, values) : this.#plainCard(values);
      card.addEventListener("click", event => {
        const detail = { product: this.getAttribute("product"), recommendation: one.product, rank, score: one.score };
        if (event.target.closest("a, button") && !this.#tell("click", detail)) event.preventDefault();
      });
      return card;
    }

    #plainCard({ title, image, url, price }) {
      return element(url ? "a" : "div", { class: "card", part: url ? "card link" : "card", href: url },
        element("img", { part: "image", src: image, alt: title, loading: "lazy", decoding: "async" }),
        element("div", { class: "name", part: "name", "aria-hidden": "true" }, title),
        element("div", { class: "price", part: "price" }, price ?? ""));
    }

    #fill(template, values) {
      const card = element("div", { class: "card", part: "card" }, template.content.cloneNode(true));
      for (const node of card.querySelectorAll("[data-text], [data-src], [data-href]")) {
        const { text, src, href } = node.dataset;
        if (text) node.textContent = values[text] ?? "";
        const source = src && values[src] && address(values[src]), target = href && values[href] && address(values[href]);
        if (source) node.src = source;
        if (src && !node.hasAttribute("alt")) node.alt = values.title;
        if (target) node.href = target;
      }
      return card;
    }

    #tell(name, detail) {
      return this.dispatchEvent(
        new CustomEvent("similar-products:" + name, { detail, bubbles: true, composed: true, cancelable: name === "click" }));
    }
  }
  customElements.get("similar-products") ?? customElements.define("similar-products", SimilarProducts);
})();
