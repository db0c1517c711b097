import Products

/// Where the vectors of a table are kept in full precision, a row for each slot.
///
/// The table itself keeps only their codes; it reads full vectors to decide what the codes leave open.
package protocol VectorStore: Sendable {
    /// Reads the rows of neighbouring slots. Is called from several threads.
    ///
    /// - Parameters:
    ///   - rows: room for whole rows, each `rowLength` values long.
    ///   - place: the row of it that the first goes to.
    func read(_ slots: Range<Int>, into rows: inout [Float], at place: Int) throws

    /// Puts a vector in a slot's row. Is called from several threads, while nobody reads.
    func write(_ vector: Embedding, to slot: Int) throws

    /// How many values a row has: those of the vector, and zeros up to a multiple of 16.
    var rowLength: Int { get }
}
