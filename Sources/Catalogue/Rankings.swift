import Foundation
import GRDB
import Products

/// Changes of photos that are only made together with the new neighbour table.
package struct Departures: Hashable, Sendable {
    /// Photos that are no longer there.
    package var removed: [ImagePath]
    /// Photos that could be read before and cannot be any more.
    package var failed: [ImageRecord]

    package init(removed: [ImagePath] = [], failed: [ImageRecord] = []) {
        self.removed = removed
        self.failed = failed
    }

    package var isEmpty: Bool { removed.isEmpty && failed.isEmpty }
    package var paths: Set<ImagePath> { Set(removed + failed.map(\.path)) }
}

/// What the neighbour table stands on.
package struct RankingState: Hashable, Sendable {
    package let model: ModelNumber?
    /// How many neighbours were asked for.
    package let depth: Int
    /// How many products have a row.
    package let products: Int
    /// Products whose photos have changed since, in the order of their ids.
    package let unranked: [ProductID]
    /// Whether removals are held back until somebody confirms or the photos are back.
    package let isHeldBack: Bool
}

extension Catalogue {
    /// From how many changed rows on the neighbour table's index is made anew, if most are.
    private static let bulkRows = 5000

    /// As of one moment. The depth is 0 before the first ranking.
    package func rankingState() throws(CatalogueError) -> RankingState {
        try read { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT model, count, is_held_back, (SELECT count(*) FROM product) AS products FROM ranking
                    """)!
            return RankingState(
                model: (row["model"] as Int64?).map(ModelNumber.init), depth: row["count"],
                products: row["products"],
                unranked: try String.fetchAll(database, sql: "SELECT product FROM unranked ORDER BY product")
                    .map { ProductID($0) },
                isHeldBack: row["is_held_back"])
        }
    }

    /// Removals stay held back across restarts until this says otherwise.
    package func setHeldBack(_ isHeldBack: Bool) throws(CatalogueError) {
        try write { try $0.run(sql: "UPDATE ranking SET is_held_back = ?", arguments: [isHeldBack]) }
    }

    /// The products that have a row in the neighbour table.
    package func rankedProducts() throws(CatalogueError) -> [ProductID] {
        try read { database in
            try String.fetchAll(database, sql: "SELECT id FROM product ORDER BY id").map { ProductID($0) }
        }
    }

    /// How many products have a row in the neighbour table.
    package func rankedProductCount() throws(CatalogueError) -> Int {
        try read { try Int.fetchOne($0, sql: "SELECT count(*) FROM product") ?? 0 }
    }

    /// What a product has now.
    package struct Holding: Hashable, Sendable {
        /// Whether it has a row in the neighbour table.
        package let isRanked: Bool
        /// Of its photos, in the order of their paths.
        package let contents: [ContentDigest]
    }

    /// What some products have, as of one moment, without the photos that depart.
    package func holdings(
        of products: Set<ProductID>, without departing: Set<ImagePath>
    ) throws(CatalogueError) -> [ProductID: Holding] {
        try read { database in
            let isRanked = try database.cachedStatement(sql: "SELECT 1 FROM product WHERE id = ?")
            let photos = try database.cachedStatement(
                sql: "SELECT * FROM image WHERE product = ? AND state = 'ready' ORDER BY path")
            var holdings: [ProductID: Holding] = [:]
            for product in products {
                let images = try Row.fetchAll(photos, arguments: [product.text]).map(ImageRecord.init(row:))
                holdings[product] = Holding(
                    isRanked: try Int.fetchOne(isRanked, arguments: [product.text]) != nil,
                    contents: images.filter { !departing.contains($0.path) }.compactMap(\.digest))
            }
            return holdings
        }
    }

    /// Each product's vector: the normalised mean of those of its photos, without the photos that depart.
    ///
    /// - Parameters:
    ///   - groupLength: how many the body is given at a time.
    ///   - body: called with one group after another, in the order of the ids; what it throws ends the walk and is
    ///     thrown on.
    package func forEachVectors(
        of model: ModelNumber, without departing: Set<ImagePath> = [], inGroupsOf groupLength: Int,
        _ body: ([(product: ProductID, embedding: Embedding)]) throws -> Void
    ) throws {
        try walk { database in
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT image.product, image.path, embedding.vector FROM image
                    JOIN embedding ON embedding.digest = image.digest AND embedding.model = ?
                    ORDER BY image.product, image.path
                    """,
                arguments: [model.id])
            var group: [(product: ProductID, embedding: Embedding)] = []
            try self.forEachVector(rows, without: departing) { product, embedding in
                group.append((product, embedding))
                guard group.count == groupLength else { return }
                try Self.passOn { try body(group) }
                group.removeAll(keepingCapacity: true)
            }
            if !group.isEmpty { try Self.passOn { try body(group) } }
        }
    }

    /// The products that have a vector of a model, without the photos that depart; in the order of their ids.
    package func embeddedProducts(of model: ModelNumber, without departing: Set<ImagePath> = [])
        throws(CatalogueError) -> [ProductID]
    {
        try read { database in
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT image.product, image.path FROM image
                    JOIN embedding ON embedding.digest = image.digest AND embedding.model = ?
                    ORDER BY image.product
                    """,
                arguments: [model.id])
            var products: [ProductID] = []
            while let row = try rows.next() {
                if !departing.isEmpty, let path = ImagePath(row["path"] as String), departing.contains(path) {
                    continue
                }
                let product = ProductID(row["product"] as String)
                if products.last != product { products.append(product) }
            }
            return products
        }
    }

    /// The vectors of some products, as `forEachVectors` gives them.
    package func vectors(
        of products: some Sequence<ProductID>, model: ModelNumber, without departing: Set<ImagePath> = []
    ) throws(CatalogueError) -> [(product: ProductID, embedding: Embedding)] {
        try read { database in
            let statement = try database.cachedStatement(
                sql: """
                    SELECT image.product, image.path, embedding.vector FROM image
                    JOIN embedding ON embedding.digest = image.digest AND embedding.model = ?1
                    WHERE image.product = ?2 ORDER BY image.path
                    """)
            var vectors: [(product: ProductID, embedding: Embedding)] = []
            for product in products {
                let rows = try Row.fetchCursor(statement, arguments: [model.id, product.text])
                try self.forEachVector(rows, without: departing) { vectors.append(($0, $1)) }
            }
            return vectors
        }
    }

    /// - Parameter rows: a vector of a photo each, photos of one product after one another.
    private func forEachVector(
        _ rows: RowCursor, without departing: Set<ImagePath>, _ body: (ProductID, Embedding) throws -> Void
    ) throws {
        var current: (product: ProductID, embeddings: [Embedding])?
        while let row = try rows.next() {
            if !departing.isEmpty, let path = ImagePath(row["path"] as String), departing.contains(path) {
                continue
            }
            let product = ProductID(row["product"] as String)
            guard let embedding = Embedding(littleEndianBytes: row["vector"] as Data) else {
                throw CatalogueError.damaged(
                    file: file, message: "a vector of \(product) is not of unit length")
            }
            if current?.product == product {
                guard current?.embeddings[0].values.count == embedding.values.count else {
                    throw CatalogueError.damaged(
                        file: file, message: "the vectors of \(product) are not of one length")
                }
                current?.embeddings.append(embedding)
            } else {
                if let (product, embeddings) = current { try body(product, Embedding(meanOf: embeddings)) }
                current = (product, [embedding])
            }
        }
        if let (product, embeddings) = current { try body(product, Embedding(meanOf: embeddings)) }
    }

    /// One transaction from "seen" to "ranked": photos depart, rows of the neighbour table and pools change, and the products whose
    /// lists may be others are noted. The body says what changes; what it throws undoes all, and is thrown on.
    ///
    /// - Parameters:
    ///   - departures: photos that leave with the ranking that does not count them.
    ///   - model: whose neighbours these are.
    ///   - depth: how many neighbours were asked for.
    ///   - changing: how many rows are going to change, about.
    package func rank(
        _ departures: Departures, model: ModelNumber, depth: Int, changing: Int,
        _ body: (inout RankingTransaction) throws -> Void
    ) throws {
        try writing { database in
            var transaction = try RankingTransaction(
                database, departures, model: model, isBulk: Self.isBulk(changing, database))
            try Self.passOn { try body(&transaction) }
            try transaction.end(depth: depth)
        }
    }

    /// An index that most of a table is new to is sorted sooner than filled.
    private static func isBulk(_ changing: Int, _ database: Database) throws -> Bool {
        try changing > bulkRows
            && changing > (Int.fetchOne(database, sql: "SELECT count(*) FROM product") ?? 0) / 4
    }

    /// Removes vectors that no photo needs.
    package func purge() throws(CatalogueError) {
        try write { database in
            try database.run(
                sql: """
                    DELETE FROM embedding
                        WHERE digest NOT IN (SELECT digest FROM image WHERE digest IS NOT NULL)
                    """)
        }
    }

    /// A product's row of the neighbour table, the most similar first; nil where there is no such product.
    package func neighbours(of product: ProductID) throws(CatalogueError) -> [Neighbour]? {
        try read { database in
            guard
                try Bool.fetchOne(
                    database, sql: "SELECT 1 FROM product WHERE id = ?", arguments: [product.text]) != nil
            else { return nil }
            return try Self.neighbours(of: product, database)
        }
    }

    static func neighbours(of product: ProductID, _ database: Database) throws -> [Neighbour] {
        let statement = try database.cachedStatement(
            sql: "SELECT neighbour, score FROM neighbour WHERE product = ? ORDER BY rank")
        return try Row.fetchAll(statement, arguments: [product.text]).map(Neighbour.init(row:))
    }
}

extension Neighbour {
    init(row: Row) {
        self.init(product: ProductID(row["neighbour"] as String), score: Float(row["score"] as Double))
    }
}
