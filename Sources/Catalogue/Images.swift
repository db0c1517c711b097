import Foundation
import GRDB
import Products

/// What the catalogue knows of a photo.
package struct ImageRecord: Hashable, Sendable {
    package enum State: Hashable, Sendable {
        case ready(ContentDigest)
        /// - attempts: how often it was tried.
        /// - under: the rules of reading it failed under; nil where another try may fare better at any time.
        case failed(reason: String, attempts: Int, under: String?)
    }

    package let path: ImagePath
    package let product: ProductID
    package let stamp: FileStamp
    package let state: State

    package init(path: ImagePath, product: ProductID, stamp: FileStamp, state: State) {
        self.path = path
        self.product = product
        self.stamp = stamp
        self.state = state
    }

    package var digest: ContentDigest? {
        if case .ready(let digest) = state { digest } else { nil }
    }
}

extension Catalogue {
    /// All photos, in the order of their paths.
    package func images() throws(CatalogueError) -> [ImageRecord] {
        try read { database in
            try ImageRecord.fetchAll(database, "SELECT * FROM image ORDER BY path")
        }
    }

    /// The photos at some paths, and below those that are folders. Each once, in no order.
    private static func images(atOrBelow paths: [ImagePath], _ database: Database) throws -> [ImageRecord] {
        var images: [ImagePath: ImageRecord] = [:]
        for path in paths {
            // "0" is the character after "/".
            let rows = try Row.fetchCursor(
                database.cachedStatement(
                    sql: "SELECT * FROM image WHERE path = ?1 OR (path > ?1 || '/' AND path < ?1 || '0')"),
                arguments: [path.text])
            while let row = try rows.next() {
                let image = try ImageRecord(row: row)
                images[image.path] = image
            }
        }
        return Array(images.values)
    }

    /// What a round has to know of photos before it begins, as of one moment.
    package struct Known: Sendable {
        package let images: [ImageRecord]
        /// Of their contents, those that have a vector of the model; of all photos, all contents that have one.
        package let embedded: Set<ContentDigest>
    }

    /// The photos at some places, or all, and which of their contents have a vector of a model.
    ///
    /// - Parameter places: photos, or folders with all below them; nil for everything.
    package func known(at places: [ImagePath]?, model: ModelNumber) throws(CatalogueError) -> Known {
        try read { database in
            guard let places else {
                return Known(
                    images: try ImageRecord.fetchAll(database, "SELECT * FROM image ORDER BY path"),
                    embedded: try Self.embeddedContents(of: model, database))
            }
            let images = try Self.images(atOrBelow: places, database)
            return Known(
                images: images,
                embedded: try Self.embeddedContents(
                    among: images.compactMap(\.digest), of: model, database))
        }
    }

    /// Of some contents, those that have a vector of this model.
    package func embeddedContents(among digests: [ContentDigest], of model: ModelNumber)
        throws(CatalogueError) -> Set<ContentDigest>
    {
        try read { try Self.embeddedContents(among: digests, of: model, $0) }
    }

    private static func embeddedContents(
        among digests: [ContentDigest], of model: ModelNumber, _ database: Database
    ) throws -> Set<ContentDigest> {
        let statement = try database.cachedStatement(
            sql: "SELECT 1 FROM embedding WHERE model = ? AND digest = ?")
        return try Set(
            digests.filter { try Int.fetchOne(statement, arguments: [model.id, Data($0.bytes)]) != nil })
    }

    /// The photos that failed, in the order of their paths.
    package func failedImages() throws(CatalogueError) -> [ImageRecord] {
        try read { database in
            try ImageRecord.fetchAll(database, "SELECT * FROM image WHERE state = 'failed' ORDER BY path")
        }
    }

    /// The contents that have a vector of this model.
    package func embeddedContents(of model: ModelNumber) throws(CatalogueError) -> Set<ContentDigest> {
        try read { try Self.embeddedContents(of: model, $0) }
    }

    private static func embeddedContents(of model: ModelNumber, _ database: Database) throws -> Set<
        ContentDigest
    > {
        var digests: Set<ContentDigest> = []
        let rows = try Data.fetchCursor(
            database, sql: "SELECT digest FROM embedding WHERE model = ?", arguments: [model.id])
        while let bytes = try rows.next() {
            if let digest = ContentDigest(bytes: bytes) { digests.insert(digest) }
        }
        return digests
    }

    /// Stores photos and new vectors, and notes which products the neighbour table is behind with. A photo that
    /// was ready and has failed is not stored here: it departs (`rank`).
    package func store(
        images: [ImageRecord], embeddings: [(digest: ContentDigest, embedding: Embedding)], model: ModelNumber
    ) throws(CatalogueError) {
        try write { database in
            for (digest, embedding) in embeddings {
                try database.run(
                    sql: "INSERT OR IGNORE INTO embedding (model, digest, vector) VALUES (?, ?, ?)",
                    arguments: [model.id, Data(digest.bytes), Data(embedding.littleEndianBytes)])
            }
            for image in images {
                // Under another grouping the product that it was of changes too.
                try database.run(
                    sql:
                        "INSERT OR IGNORE INTO unranked SELECT product FROM image WHERE path = ? AND state = 'ready'",
                    arguments: [image.path.text])
                try image.save(database)
                if image.digest != nil {
                    try database.run(
                        sql: "INSERT OR IGNORE INTO unranked VALUES (?)", arguments: [image.product.text])
                }
            }
        }
    }
}

extension ImageRecord {
    static func fetchAll(_ database: Database, _ sql: String) throws -> [ImageRecord] {
        try Row.fetchAll(database, sql: sql).map(ImageRecord.init(row:))
    }

    init(row: Row) throws {
        let text: String = row["path"]
        guard let path = ImagePath(text) else {
            throw CatalogueError.damaged(file: Catalogue.fileName, message: "impossible path \(text)")
        }
        let state: State
        if let bytes = row["digest"] as Data?, let digest = ContentDigest(bytes: bytes) {
            state = .ready(digest)
        } else {
            state = .failed(
                reason: row["reason"] ?? "", attempts: row["attempts"], under: row["failed_under"])
        }
        self.init(
            path: path, product: ProductID(row["product"] as String),
            stamp: FileStamp(bytes: row["bytes"], mtimeNanoseconds: row["mtime_ns"]), state: state)
    }

    func save(_ database: Database) throws {
        let (reason, attempts, under): (String?, Int, String?) =
            if case .failed(let reason, let attempts, let under) = state { (reason, attempts, under) } else {
                (nil, 0, nil)
            }
        try database.run(
            sql: """
                INSERT OR REPLACE INTO image (path, product, bytes, mtime_ns, state, digest, reason, attempts, failed_under)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                path.text, product.text, stamp.bytes, stamp.mtimeNanoseconds,
                digest == nil ? "failed" : "ready",
                digest.map { Data($0.bytes) }, reason, attempts, under,
            ])
    }
}
