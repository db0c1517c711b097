// Types of the files that imgrec-agent writes, version 1 of the contract (Docs/reference/output.md).

/** The SHA-256 of a file's bytes. */
export type Digest = `sha256:${string}`;

/** What the shop's own table (output.attributes) says of a product. */
export type Attributes = Record<string, string>;

export interface Photos {
  /** Paths in the image folder, in their order. The first stands for the product. */
  images: string[];
  /** Their addresses in the same order; only with output.image_base_url. */
  imageURLs?: string[];
  /** Their digests in the same order; only with "digests" in output.fields. */
  imageDigests?: Digest[];
}

export interface Recommendation extends Partial<Photos> {
  product: string;
  /** The photo that stands for the product: its path in the image folder. */
  image: string;
  /** Only with output.image_base_url. */
  imageURL?: string;
  /** Only with "digests" in output.fields. */
  imageDigest?: Digest;
  /** Cosine similarity, at most 1. */
  score: number;
  attributes?: Attributes;
}

/** What is known of a product. */
export interface ProductEntry extends Photos {
  attributes?: Attributes;
  /** The most similar first. */
  recommendations: Recommendation[];
}

/** products/<product>.json */
export interface ProductDocument extends ProductEntry {
  schemaVersion: 1;
  product: string;
  /** The name of the model whose similarities these are. */
  model: string;
}

/** all.json, with output.layout = "single" */
export interface AllProducts {
  schemaVersion: 1;
  generator: "imgrec-agent";
  model: string;
  products: Record<string, ProductEntry>;
}

/** index.json */
export interface Index {
  schemaVersion: 1;
  generator: "imgrec-agent";
  model: string;
  /** How files lie, where it is not a file for each product in products/. */
  layout?: "sharded" | "single";
  shardDigits?: number;
  products: Record<string, { file: string; digest: Digest }>;
}
