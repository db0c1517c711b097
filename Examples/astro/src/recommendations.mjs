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
        const { schemaVersion, products } = await read("index.json");
        if (schemaVersion !== 1) throw new Error(`${folder} has files of version ${schemaVersion}, and this loader knows 1`);
        const files = {};
        const entries = [];
        for (const [id, { file, digest }] of Object.entries(products)) {
          const content = (files[file] ??= await read(file).catch(error => {
            if (error.code !== "ENOENT") throw error;
            return {};  // the product has just vanished
          }));
          const { images, imageURLs, recommendations, attributes } = content.products?.[id] ?? content;
          if (!images) continue;
          entries.push({ id, digest, data: await parseData({ id, data: { images, imageURLs, recommendations, attributes } }) });
        }
        store.clear();
        for (const entry of entries) store.set(entry);
      };
      await fill();
      // In the development server: the index is written last.
      const index = resolve(folder, "index.json");
      watcher?.add(index);
      for (const event of ["add", "change"]) watcher?.on(event, path => { if (path === index) return fill(); });
    },
  };
}
