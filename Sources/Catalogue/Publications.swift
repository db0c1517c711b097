import Foundation
import GRDB
import Products

/// A product as its readers see it.
package struct RankedProduct: Hashable, Sendable {
    package let product: ProductID
    /// Its photos, in the order of their paths.
    package let images: [ImagePath]
    /// The most similar first.
    package let neighbours: [Neighbour]
}

extension Catalogue {
    /// Every product that has neighbours computed, in the order of the ids, one at a time.
    ///
    /// - Parameter body: called for each product; what it throws ends the walk and is thrown on.
    package func forEachRankedProduct(_ body: (RankedProduct) throws -> Void) throws {
        var thrown: (any Error)?
        try read { database in
            let images = try Row.fetchCursor(
                database,
                sql: """
                    SELECT image.product, image.path FROM image JOIN product ON product.id = image.product
                    WHERE image.state = 'ready' ORDER BY image.product, image.path
                    """)
            let neighbours = try Row.fetchCursor(
                database, sql: "SELECT product, neighbour, score FROM neighbour ORDER BY product, rank")
            var image = try images.next()?.copy()
            var neighbour = try neighbours.next()?.copy()
            // Both are in the order of the products: one merge, nothing held but the current product.
            while let first = image {
                let product = ProductID(first["product"] as String)
                var paths: [ImagePath] = []
                while let row = image, ProductID(row["product"] as String) == product {
                    if let path = ImagePath(row["path"] as String) { paths.append(path) }
                    image = try images.next()?.copy()
                }
                var nearest: [Neighbour] = []
                while let row = neighbour, ProductID(row["product"] as String) <= product {
                    if ProductID(row["product"] as String) == product {
                        nearest.append(
                            Neighbour(
                                product: ProductID(row["neighbour"] as String),
                                score: Float(row["score"] as Double)))
                    }
                    neighbour = try neighbours.next()?.copy()
                }
                do {
                    try body(RankedProduct(product: product, images: paths, neighbours: nearest))
                } catch {
                    thrown = error
                    return
                }
            }
        }
        if let thrown { throw thrown }
    }

    /// The first photo of each product: what stands for it.
    package func firstImages() throws(CatalogueError) -> [ProductID: ImagePath] {
        try read { database in
            var first: [ProductID: ImagePath] = [:]
            let rows = try Row.fetchCursor(
                database,
                sql: "SELECT product, min(path) AS path FROM image WHERE state = 'ready' GROUP BY product")
            while let row = try rows.next() {
                first[ProductID(row["product"] as String)] = ImagePath(row["path"] as String)
            }
            return first
        }
    }

    /// Every product that has, or had and still may have, a file.
    package func publishedProducts() throws(CatalogueError) -> [ProductID] {
        try read { database in
            try String.fetchAll(database, sql: "SELECT product FROM publication ORDER BY product").map {
                ProductID($0)
            }
        }
    }

    /// Notes products that an index on disk names, so that their files are kept true or removed.
    package func adopt(_ products: [ProductID]) throws(CatalogueError) {
        try write { database in
            for product in products {
                try database.run(
                    sql: "INSERT OR IGNORE INTO publication (product, digest, is_due) VALUES (?, NULL, 1)",
                    arguments: [product.text])
            }
        }
    }

    /// Notes what is on disk now, after the index was written.
    ///
    /// - Parameters:
    ///   - published: each product's file by its digest.
    ///   - removed: products that have no file any more.
    package func notePublished(
        _ published: [(product: ProductID, digest: ContentDigest)], removed: [ProductID]
    ) throws(CatalogueError) {
        try write { database in
            for (product, digest) in published {
                try database.run(
                    sql: """
                        INSERT INTO publication (product, digest, is_due) VALUES (?1, ?2, 0)
                        ON CONFLICT (product) DO UPDATE SET digest = ?2, is_due = 0
                            WHERE is_due = 1 OR digest IS NOT ?2
                        """,
                    arguments: [product.text, Data(digest.bytes)])
            }
            for product in removed {
                try database.run(
                    sql: "DELETE FROM publication WHERE product = ?", arguments: [product.text])
            }
        }
    }
}
