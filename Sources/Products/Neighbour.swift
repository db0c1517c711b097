/// A product near another, with the cosine similarity of the two.
package struct Neighbour: Hashable, Sendable {
    package let product: ProductID
    /// Cosine similarity, from -1 to 1.
    package let score: Float

    package init(product: ProductID, score: Float) {
        self.product = product
        self.score = score
    }
}
