import Foundation
import GRDB
import Products

/// A change of the neighbour table that is being made (`Catalogue.rank`).
package struct RankingTransaction {
    private let database: Database
    private let model: ModelNumber
    private let isBulk: Bool
    /// Products whose row or photos are new, and those that have no row any more.
    private var changed: Set<ProductID> = []
    private var gone: Set<ProductID> = []
    /// Products whose photos may be others, or that have gone: whoever names them shows them.
    private var shown: Set<ProductID> = []
    private let addProduct: Statement
    private let cut: Statement
    private let setRow: Statement

    init(_ database: Database, _ departures: Departures, model: ModelNumber, isBulk: Bool) throws {
        (self.database, self.model, self.isBulk) = (database, model, isBulk)
        for path in departures.paths {
            let product = try String.fetchOne(
                database, sql: "SELECT product FROM image WHERE path = ?", arguments: [path.text])
            if let product { changed.insert(ProductID(product)) }
        }
        for path in departures.removed {
            try database.run(sql: "DELETE FROM image WHERE path = ?", arguments: [path.text])
        }
        for image in departures.failed { try image.save(database) }
        if isBulk { try database.execute(sql: "DROP INDEX neighbour_neighbour") }
        addProduct = try database.cachedStatement(sql: "INSERT OR IGNORE INTO product (id) VALUES (?)")
        cut = try database.cachedStatement(sql: "DELETE FROM neighbour WHERE product = ? AND rank > ?")
        setRow = try database.cachedStatement(
            sql: """
                INSERT INTO neighbour (product, rank, neighbour, score) VALUES (?, ?, ?, ?)
                    ON CONFLICT (product, rank) DO UPDATE SET neighbour = excluded.neighbour, score = excluded.score
                """)
    }

    /// Products that have no row any more.
    package mutating func remove(_ products: [ProductID]) throws {
        for product in products {
            try database.run(sql: "DELETE FROM product WHERE id = ?", arguments: [product.text])
        }
        gone.formUnion(products)
        shown.formUnion(products)
    }

    /// The row of a product that is new or may have other neighbours.
    ///
    /// - Parameter neighbours: the most similar first.
    package mutating func set(_ neighbours: [Neighbour], of product: ProductID) throws {
        try addProduct.execute(arguments: [product.text])
        let before = try Catalogue.neighbours(of: product, database)
        guard before != neighbours else { return }
        changed.insert(product)
        if neighbours.count < before.count {
            try cut.execute(arguments: [product.text, neighbours.count])
        }
        for (index, neighbour) in neighbours.enumerated()
        where index >= before.count || before[index] != neighbour {
            try setRow.execute(
                arguments: [product.text, index + 1, neighbour.product.text, Double(neighbour.score)])
        }
    }

    /// A pool that is new or has changed, to be kept for the next run.
    package func keep(_ pool: KeptPool) throws { try pool.save(database, model) }

    /// Forgets the pools of slots that are free now.
    package func free(slots: [Int]) throws { try KeptPool.free(slots, database, model) }

    /// Products that the table is no longer behind with.
    package mutating func noteUpToDate(_ products: [ProductID]) throws {
        for product in products {
            try database.run(sql: "DELETE FROM unranked WHERE product = ?", arguments: [product.text])
        }
        changed.formUnion(products)
        shown.formUnion(products)
    }

    func end(depth: Int) throws {
        if isBulk { try database.execute(sql: Schema.neighbourIndex) }
        for product in changed.union(gone) {
            try database.run(
                sql: "INSERT OR IGNORE INTO unrecommended VALUES (?)", arguments: [product.text])
        }
        // Where all lists are to be made again anyway, as after a first run, nobody has to be looked for who shows them.
        let isAll = try Bool.fetchOne(
            database,
            sql:
                "SELECT NOT EXISTS (SELECT 1 FROM product WHERE id NOT IN (SELECT product FROM unrecommended))"
        )
        for product in isAll == true ? [] : shown {
            try database.run(
                sql: "INSERT OR IGNORE INTO unrecommended SELECT product FROM neighbour WHERE neighbour = ?",
                arguments: [product.text])
        }
        try database.run(
            sql: "UPDATE model SET is_ahead = 0 WHERE id = ? AND is_ahead", arguments: [model.id])
        try database.run(
            sql: """
                UPDATE ranking SET model = ?1, count = ?2, next = nullif(next, ?1)
                    WHERE model IS NOT ?1 OR count <> ?2
                """,
            arguments: [model.id, depth])
    }
}
