import { defineCollection, z } from "astro:content";
import { recommendations } from "./recommendations.mjs";

const recommendation = z.object({
  product: z.string(),
  image: z.string(),
  score: z.number(),
  attributes: z.record(z.string()).default({}),
});

export const collections = {
  recommendations: defineCollection({
    loader: recommendations("recommendations"),
    schema: z.object({
      images: z.array(z.string()),
      recommendations: z.array(recommendation),
      attributes: z.record(z.string()),
    }),
  }),
};
