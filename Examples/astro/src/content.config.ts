import { defineCollection, z } from "astro:content";
import { recommendations } from "./recommendations.mjs";

const attributes = z.record(z.string(), z.string()).default({});

export const collections = {
  recommendations: defineCollection({
    loader: recommendations("recommendations"),
    schema: z.object({
      images: z.array(z.string()),
      imageURLs: z.array(z.string()),
      attributes,
      recommendations: z.array(
        z.object({ product: z.string(), image: z.string(), imageURL: z.string(), score: z.number(), attributes }),
      ),
    }),
  }),
};
