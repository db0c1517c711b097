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
    /// How many neighbours each product has.
    package let count: Int
    package let isDue: Bool
}

extension Catalogue {
    package func rankingState() throws(CatalogueError) -> RankingState {
        try read { database in
            let row = try Row.fetchOne(database, sql: "SELECT model, count, is_due FROM ranking")!
            return RankingState(
                model: (row["model"] as Int64?).map(ModelNumber.init), count: row["count"],
                isDue: row["is_due"])
        }
    }

    /// The products that have a row in the neighbour table.
    package func rankedProducts() throws(CatalogueError) -> [ProductID] {
        try read { database in
            try String.fetchAll(database, sql: "SELECT id FROM product ORDER BY id").map { ProductID($0) }
        }
    }

    /// Each product's vector: the normalised mean of those of its photos, without the photos that depart.
    ///
    /// - Returns: in the order of the ids.
    package func productVectors(
        of model: ModelNumber, without departing: Set<ImagePath> = []
    ) throws(CatalogueError) -> [(product: ProductID, embedding: Embedding)] {
        try read { database in
            var vectors: [(ProductID, Embedding)] = []
            var current: (product: ProductID, embeddings: [Embedding])?
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT image.product, image.path, embedding.vector FROM image
                    JOIN embedding ON embedding.digest = image.digest AND embedding.model = ?
                    ORDER BY image.product, image.path
                    """,
                arguments: [model.id])
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
                    current?.embeddings.append(embedding)
                } else {
                    if let (product, embeddings) = current {
                        vectors.append((product, Embedding(meanOf: embeddings)))
                    }
                    current = (product, [embedding])
                }
            }
            if let (product, embeddings) = current {
                vectors.append((product, Embedding(meanOf: embeddings)))
            }
            return vectors
        }
    }

    /// How many ready photos have no vector of a model, those that depart left out.
    package func countUnembedded(of model: ModelNumber, without departing: Set<ImagePath>)
        throws(CatalogueError) -> Int
    {
        try read { database in
            try String.fetchAll(
                database,
                sql: """
                    SELECT path FROM image WHERE state = 'ready'
                        AND digest NOT IN (SELECT digest FROM embedding WHERE model = ?)
                    """,
                arguments: [model.id]
            ).count { path in ImagePath(path).map { !departing.contains($0) } ?? true }
        }
    }

    /// One transaction from "seen" to "ranked and due for publishing": photos depart, the neighbour table
    /// becomes this one, products whose file may change are marked due, and vectors that no photo needs go.
    ///
    /// - Parameters:
    ///   - table: every product with its neighbours, the most similar first.
    ///   - count: how many neighbours were asked for.
    package func rank(
        _ table: [(product: ProductID, neighbours: [Neighbour])], count: Int, model: ModelNumber,
        departures: Departures
    ) throws(CatalogueError) {
        try write { database in
            for path in departures.removed {
                try database.run(sql: "DELETE FROM image WHERE path = ?", arguments: [path.text])
            }
            for image in departures.failed { try image.save(database) }

            let present = Set(table.map(\.product))
            for id in try String.fetchAll(database, sql: "SELECT id FROM product")
            where !present.contains(ProductID(id)) {
                try database.run(sql: "DELETE FROM product WHERE id = ?", arguments: [id])
            }
            let stored = try Self.storedNeighbours(database)
            for (product, neighbours) in table {
                try database.run(
                    sql: "INSERT OR IGNORE INTO product (id) VALUES (?)", arguments: [product.text])
                guard stored[product] != neighbours else { continue }
                try database.run(
                    sql: "DELETE FROM neighbour WHERE product = ?", arguments: [product.text])
                for (index, neighbour) in neighbours.enumerated() {
                    try database.run(
                        sql: "INSERT INTO neighbour (product, rank, neighbour, score) VALUES (?, ?, ?, ?)",
                        arguments: [product.text, index + 1, neighbour.product.text, Double(neighbour.score)])
                }
            }
            // A file also names photos, its own and its neighbours', so every product is looked at again; a
            // file whose bytes would not change is not touched.
            try database.run(
                sql:
                    "INSERT OR IGNORE INTO publication (product, digest, is_due) SELECT id, NULL, 1 FROM product"
            )
            try database.run(sql: "UPDATE publication SET is_due = 1")
            try database.run(
                sql: """
                    DELETE FROM embedding WHERE model = ?
                        AND digest NOT IN (SELECT digest FROM image WHERE digest IS NOT NULL)
                    """,
                arguments: [model.id])
            try database.run(sql: "DELETE FROM embedding WHERE model <> ?", arguments: [model.id])
            try database.run(sql: "DELETE FROM model WHERE id <> ?", arguments: [model.id])
            try database.run(
                sql: "UPDATE ranking SET model = ?, count = ?, is_due = 0", arguments: [model.id, count])
        }
    }

    private static func storedNeighbours(_ database: Database) throws -> [ProductID: [Neighbour]] {
        var stored: [ProductID: [Neighbour]] = [:]
        let rows = try Row.fetchCursor(
            database, sql: "SELECT product, neighbour, score FROM neighbour ORDER BY product, rank")
        while let row = try rows.next() {
            stored[ProductID(row["product"] as String), default: []].append(
                Neighbour(
                    product: ProductID(row["neighbour"] as String), score: Float(row["score"] as Double)))
        }
        return stored
    }

    /// A product's row of the neighbour table, the most similar first; nil where there is no such product.
    package func neighbours(of product: ProductID) throws(CatalogueError) -> [Neighbour]? {
        try read { database in
            guard
                try Bool.fetchOne(
                    database, sql: "SELECT 1 FROM product WHERE id = ?", arguments: [product.text]) != nil
            else { return nil }
            return try Row.fetchAll(
                database, sql: "SELECT neighbour, score FROM neighbour WHERE product = ? ORDER BY rank",
                arguments: [product.text]
            ).map {
                Neighbour(product: ProductID($0["neighbour"] as String), score: Float($0["score"] as Double))
            }
        }
    }
}
