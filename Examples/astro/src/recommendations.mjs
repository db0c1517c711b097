// A loader for a content collection: an entry for each product, with what imgrec-agent wrote of it.
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

/**
 * @param {string} folder output.folder of imgrec-agent
 * @returns {import("astro/loaders").Loader}
 */
export function recommendations(folder) {
  const read = async file => JSON.parse(await readFile(join(folder, file), "utf8"));
  return {
    name: "imgrec-agent",
    async load({ store, watcher, parseData }) {
      const fill = async () => {
        const { products } = await read("index.json");
        const files = {};
        store.clear();
        for (const [id, { file, digest }] of Object.entries(products)) {
          const content = (files[file] ??= await read(file));
          const { images, recommendations, attributes = {} } = content.products?.[id] ?? content;
          store.set({ id, digest, data: await parseData({ id, data: { images, recommendations, attributes } }) });
        }
      };
      await fill();
      // In the development server: the index is written last.
      const index = resolve(folder, "index.json");
      watcher?.add(index);
      for (const event of ["add", "change"]) watcher?.on(event, path => { if (path === index) return fill(); });
    },
  };
}
