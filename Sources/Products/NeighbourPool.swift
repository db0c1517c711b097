/// A slot in another slot's pool.
package struct PoolEntry: Hashable, Sendable {
    package let slot: Int32
    /// Cosine similarity.
    package let score: Float

    package init(slot: Int32, score: Float) {
        self.slot = slot
        self.score = score
    }
}

/// What a neighbour table knows of a product: its slot, and the slots nearest to it, more of them than are published,
/// exact as far as they go.
package struct NeighbourPool: Hashable, Sendable {
    package let slot: Int
    package let product: ProductID
    /// The nearest first.
    package let entries: [PoolEntry]

    package init(slot: Int, product: ProductID, entries: [PoolEntry]) {
        self.slot = slot
        self.product = product
        self.entries = entries
    }
}
