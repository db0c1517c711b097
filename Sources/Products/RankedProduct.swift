/// A product that another one's lists may name.
package struct Candidate: Hashable, Sendable {
    /// Which product, with its cosine similarity to the other.
    package let neighbour: Neighbour
    /// Its photos, in the order of their paths; the first stands for it. One at least.
    package let photos: [ProductPhoto]
    package let attributes: ProductAttributes

    package init(neighbour: Neighbour, photos: [ProductPhoto], attributes: ProductAttributes = .init()) {
        (self.neighbour, self.photos, self.attributes) = (neighbour, photos, attributes)
    }
}

/// A product with all that its lists are made of.
package struct RankedProduct: Hashable, Sendable {
    package let product: ProductID
    /// Its photos, in the order of their paths.
    package let photos: [ProductPhoto]
    package let attributes: ProductAttributes
    /// The products that look most like it: a prefix of the order of all, the most similar first.
    package let similar: [Candidate]

    package init(
        product: ProductID, photos: [ProductPhoto], attributes: ProductAttributes, similar: [Candidate]
    ) {
        (self.product, self.photos, self.attributes, self.similar) = (product, photos, attributes, similar)
    }
}
