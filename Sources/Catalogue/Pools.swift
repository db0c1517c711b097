import Foundation
import GRDB
import Products

/// A pool of the neighbour table that is new or has changed, as the next run finds it.
package struct KeptPool: Hashable, Sendable {
    package let pool: NeighbourPool
    /// Of the vector that the slot has got; nil where it has the vector that it had.
    package let digest: ContentDigest?

    package init(pool: NeighbourPool, digest: ContentDigest?) {
        self.pool = pool
        self.digest = digest
    }

    func save(_ database: Database, _ model: ModelNumber) throws {
        guard let digest else {
            return try database.run(
                sql: "UPDATE pool SET entries = ? WHERE model = ? AND slot = ?",
                arguments: [pool.entries.bytes, model.id, pool.slot])
        }
        try database.run(
            sql:
                "INSERT OR REPLACE INTO pool (model, slot, product, digest, entries) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                model.id, pool.slot, pool.product.text, Data(digest.bytes), pool.entries.bytes,
            ])
    }

    static func free(_ slots: [Int], _ database: Database, _ model: ModelNumber) throws {
        for slot in slots {
            try database.run(
                sql: "DELETE FROM pool WHERE model = ? AND slot = ?", arguments: [model.id, slot])
        }
    }
}

extension Catalogue {
    /// Keeps what was computed so far of a long computation; the neighbour rows stay behind until `rank`.
    ///
    /// - Parameters:
    ///   - freed: slots that nothing is in any more.
    ///   - pools: hands the body one pool after another, for there may be many.
    package func keep(
        freed: [Int], of model: ModelNumber, pools: ((KeptPool) throws -> Void) throws -> Void
    ) throws(CatalogueError) {
        try write { database in
            try KeptPool.free(freed, database, model)
            try pools { try $0.save(database, model) }
            try database.run(sql: "UPDATE model SET is_ahead = 1 WHERE id = ?", arguments: [model.id])
        }
    }

    /// The pools that were kept, each with the digest of its slot's vector, in the order of their slots; what the body
    /// throws ends the walk and is thrown on.
    package func forEachPool(of model: ModelNumber, _ body: (NeighbourPool, ContentDigest) throws -> Void)
        throws
    {
        try walk { database in
            let rows = try Row.fetchCursor(
                database,
                sql: "SELECT slot, product, digest, entries FROM pool WHERE model = ? ORDER BY slot",
                arguments: [model.id])
            while let row = try rows.next() {
                let pool = NeighbourPool(
                    slot: row["slot"], product: ProductID(row["product"] as String),
                    entries: [PoolEntry](bytes: row["entries"] as Data))
                let digest = try self.digest(row, of: pool.product)
                try Self.passOn { try body(pool, digest) }
            }
        }
    }

    /// The digest of each product's vector in the pools that were kept.
    package func pooledVectors(of model: ModelNumber) throws(CatalogueError) -> [ProductID: ContentDigest] {
        try read { database in
            let rows = try Row.fetchCursor(
                database, sql: "SELECT product, digest FROM pool WHERE model = ?", arguments: [model.id])
            var digests: [ProductID: ContentDigest] = [:]
            while let row = try rows.next() {
                let product = ProductID(row["product"] as String)
                digests[product] = try digest(row, of: product)
            }
            return digests
        }
    }

    /// How many products have a pool that was kept, and how many slots there are, the empty ones included.
    package func poolExtent(of model: ModelNumber) throws(CatalogueError) -> (products: Int, slots: Int) {
        try read { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT COUNT(*), IFNULL(MAX(slot) + 1, 0) FROM pool WHERE model = ?",
                arguments: [model.id])!
            return (row[0], row[1])
        }
    }

    /// Forgets the pools that were kept, so that they are computed anew.
    package func dropPools(of model: ModelNumber) throws(CatalogueError) {
        try write { database in
            try database.run(sql: "DELETE FROM pool WHERE model = ?", arguments: [model.id])
            try database.run(sql: "UPDATE model SET is_ahead = 1 WHERE id = ?", arguments: [model.id])
        }
    }

    /// What the pools that were kept say of some products: their nearest neighbours as far as they are known; nil while
    /// pools hold what the neighbour rows do not show.
    package func pooledNeighbours(of products: some Sequence<ProductID>, model: ModelNumber)
        throws(CatalogueError) -> [ProductID: [Neighbour]]?
    {
        try read { database in
            // In one with the pools: they may be dropped or kept at any time.
            guard try !self.arePoolsAhead(database, model) else { return nil }
            let pool = try database.cachedStatement(
                sql: "SELECT entries FROM pool WHERE model = ? AND product = ?")
            let name = try database.cachedStatement(
                sql: "SELECT product FROM pool WHERE model = ? AND slot = ?")
            var neighbours: [ProductID: [Neighbour]] = [:]
            for product in products {
                guard let bytes = try Data.fetchOne(pool, arguments: [model.id, product.text]) else {
                    continue
                }
                neighbours[product] = try [PoolEntry](bytes: bytes).compactMap { entry in
                    try String.fetchOne(name, arguments: [model.id, entry.slot]).map {
                        Neighbour(product: ProductID($0), score: entry.score)
                    }
                }
            }
            return neighbours
        }
    }

    private func digest(_ row: Row, of product: ProductID) throws(CatalogueError) -> ContentDigest {
        guard let digest = ContentDigest(bytes: row["digest"] as Data) else {
            throw .damaged(file: file, message: "the digest of \(product)'s vector is not one")
        }
        return digest
    }

    /// Whether the pools hold what the neighbour rows do not show.
    package func arePoolsAhead(of model: ModelNumber) throws(CatalogueError) -> Bool {
        try read { try self.arePoolsAhead($0, model) }
    }

    private func arePoolsAhead(_ database: Database, _ model: ModelNumber) throws -> Bool {
        try Bool.fetchOne(database, sql: "SELECT is_ahead FROM model WHERE id = ?", arguments: [model.id])
            ?? true
    }
}

extension [PoolEntry] {
    private static let bytesPerEntry = 8

    fileprivate var bytes: Data {
        var data = Data(capacity: count * Self.bytesPerEntry)
        for entry in self {
            Swift.withUnsafeBytes(of: entry.slot.littleEndian) { data.append(contentsOf: $0) }
            Swift.withUnsafeBytes(of: entry.score.bitPattern.littleEndian) { data.append(contentsOf: $0) }
        }
        return data
    }

    fileprivate init(bytes: Data) {
        self = bytes.withUnsafeBytes { bytes in
            (0..<bytes.count / Self.bytesPerEntry).map { index in
                let place = index * Self.bytesPerEntry
                return PoolEntry(
                    slot: Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: Int32.self)),
                    score: Float(
                        bitPattern: UInt32(
                            littleEndian: bytes.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self))))
            }
        }
    }
}
