import Foundation
import GRDB
import Products

/// A model, as the catalogue tells vectors apart.
package struct ModelRecord: Hashable, Sendable {
    package let identity: ContentDigest
    package let name: String
    package let precision: String
    package let dimension: Int
    /// How the model is found again, as JSON; nil where an older version noted it.
    package let recipe: String?

    package init(identity: ContentDigest, name: String, precision: String, dimension: Int, recipe: String?) {
        self.identity = identity
        self.name = name
        self.precision = precision
        self.dimension = dimension
        self.recipe = recipe
    }
}

/// The number of a model in the catalogue.
package struct ModelNumber: Hashable, Sendable {
    let id: Int64
}

/// The model that is to take over from the one in service, and how far it is.
package struct ComingModel: Hashable, Sendable {
    package let record: ModelRecord
    /// Photos that have a vector of it, of those that are used.
    package let embedded: Int
    package let photos: Int
}

/// A model of which there are vectors.
package struct KnownModel: Hashable, Sendable {
    package let record: ModelRecord
    package let embeddings: Int
    package let isInService: Bool
    package let isComing: Bool
}

extension Catalogue {
    enum Role: String {
        case inService = "model"
        case coming = "next"
    }

    /// The number of a model; a new one where it has not been seen.
    package func number(of model: ModelRecord) throws(CatalogueError) -> ModelNumber {
        try write { try Self.number(of: model, $0) }
    }

    private static func number(of model: ModelRecord, _ database: Database) throws -> ModelNumber {
        try database.run(
            sql: """
                INSERT INTO model (identity, name, precision, dimension, recipe) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (identity) DO UPDATE SET recipe = excluded.recipe WHERE recipe IS NOT excluded.recipe
                """,
            arguments: [
                Data(model.identity.bytes), model.name, model.precision, model.dimension, model.recipe,
            ])
        return ModelNumber(
            id: try Int64.fetchOne(
                database, sql: "SELECT id FROM model WHERE identity = ?",
                arguments: [Data(model.identity.bytes)])!)
    }

    /// The number of a model that has been seen, or nil. Changes nothing.
    package func existingNumber(of model: ModelRecord) throws(CatalogueError) -> ModelNumber? {
        try read { database in
            try Int64.fetchOne(
                database, sql: "SELECT id FROM model WHERE identity = ?",
                arguments: [Data(model.identity.bytes)]
            ).map(ModelNumber.init)
        }
    }

    /// The model whose neighbours the table has; nil before the first ranking.
    package func modelInService() throws(CatalogueError) -> (number: ModelNumber, record: ModelRecord)? {
        try read { try Self.model(.inService, $0) }
    }

    static func model(_ role: Role, _ database: Database) throws -> (
        number: ModelNumber, record: ModelRecord
    )? {
        let row = try Row.fetchOne(
            database, sql: "SELECT model.* FROM ranking JOIN model ON model.id = ranking.\(role.rawValue)")
        return try row.map { (ModelNumber(id: $0["id"]), try ModelRecord(row: $0)) }
    }

    /// Notes which model is to take over, which keeps its vectors from being pruned; nil for none.
    ///
    /// - Returns: its number.
    @discardableResult
    package func setComing(_ model: ModelRecord?) throws(CatalogueError) -> ModelNumber? {
        try write { database in
            let number = try model.map { try Self.number(of: $0, database) }
            try database.run(
                sql: "UPDATE ranking SET next = ?1 WHERE next IS NOT ?1", arguments: [number?.id])
            return number
        }
    }

    /// Nil where none is in service that it could take over from.
    static func comingModel(_ database: Database) throws -> ComingModel? {
        guard try model(.inService, database) != nil, let (number, record) = try model(.coming, database)
        else {
            return nil
        }
        let row = try Row.fetchOne(
            database,
            sql: """
                SELECT count(*) AS photos, count(embedding.digest) AS embedded FROM image
                LEFT JOIN embedding ON embedding.digest = image.digest AND embedding.model = ?
                WHERE state = 'ready'
                """,
            arguments: [number.id])!
        return ComingModel(record: record, embedded: row["embedded"], photos: row["photos"])
    }

    /// Photos that are used and have no vector of a model, one for each content, in the order of their contents.
    ///
    /// - Parameters:
    ///   - after: a content to go on behind; nil for the first.
    ///   - takesLast: whether of several photos of one content the last stands for it, not the first.
    ///   - limit: how many at most.
    package func unembeddedImages(
        of model: ModelNumber, after: ContentDigest?, takesLast: Bool = false, limit: Int
    ) throws(CatalogueError) -> [(path: ImagePath, digest: ContentDigest)] {
        try read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT \(takesLast ? "max" : "min")(path) AS path, digest FROM image
                    WHERE digest > ?1 AND NOT EXISTS (
                        SELECT 1 FROM embedding WHERE embedding.model = ?2 AND embedding.digest = image.digest)
                    GROUP BY digest ORDER BY digest LIMIT ?3
                    """,
                arguments: [after.map { Data($0.bytes) } ?? Data(), model.id, limit]
            ).compactMap { row in
                guard let path = ImagePath(row["path"] as String),
                    let digest = ContentDigest(bytes: row["digest"] as Data)
                else { return nil }
                return (path, digest)
            }
        }
    }

    /// Photos that are used and have no vector of a model, in the order of their paths.
    package func images(withoutVectorOf model: ModelNumber) throws(CatalogueError) -> [ImageRecord] {
        try read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM image WHERE state = 'ready' AND NOT EXISTS (
                        SELECT 1 FROM embedding WHERE embedding.model = ? AND embedding.digest = image.digest)
                    ORDER BY path
                    """,
                arguments: [model.id]
            ).map(ImageRecord.init(row:))
        }
    }

    /// The model that the files in the output folder are of; nil where that is not known.
    package func publishedModel() throws(CatalogueError) -> ModelNumber? {
        try read { try Int64.fetchOne($0, sql: "SELECT published FROM ranking").map(ModelNumber.init) }
    }

    /// All vectors of a model.
    package func embeddings(of model: ModelNumber) throws(CatalogueError) -> [ContentDigest: Embedding] {
        try read { database in
            let rows = try Row.fetchCursor(
                database, sql: "SELECT digest, vector FROM embedding WHERE model = ?", arguments: [model.id])
            var embeddings: [ContentDigest: Embedding] = [:]
            while let row = try rows.next() {
                guard let digest = ContentDigest(bytes: row["digest"] as Data),
                    let embedding = Embedding(littleEndianBytes: row["vector"] as Data)
                else {
                    throw CatalogueError.damaged(file: self.file, message: "a vector is not of unit length")
                }
                embeddings[digest] = embedding
            }
            return embeddings
        }
    }

    /// The models of which there are vectors, in the order in which they came.
    package func knownModels() throws(CatalogueError) -> [KnownModel] {
        try read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT model.*, (SELECT count(*) FROM embedding WHERE embedding.model = model.id) AS embeddings,
                        model.id IS ranking.model AS is_in_service, model.id IS ranking.next AS is_next
                    FROM model, ranking ORDER BY model.id
                    """
            ).map {
                KnownModel(
                    record: try ModelRecord(row: $0), embeddings: $0["embeddings"],
                    isInService: $0["is_in_service"], isComing: $0["is_next"])
            }
        }
    }

    /// Removes the vectors and pools of all models but the one in service and the one that is to take over. The database
    /// uses their room again; their vectors files are gone.
    ///
    /// - Returns: the models that were removed.
    package func prune() throws(CatalogueError) -> [KnownModel] {
        let before = try knownModels()
        let kept: Set<ModelNumber> = try write { database in
            // In one with the look at which are needed: a change may begin at any time.
            try database.run(
                sql: """
                    DELETE FROM model WHERE id IS NOT (SELECT model FROM ranking)
                        AND id IS NOT (SELECT next FROM ranking)
                        AND id IS NOT (SELECT published FROM ranking)
                    """)
            return Set(try Int64.fetchAll(database, sql: "SELECT id FROM model").map(ModelNumber.init))
        }
        VectorFile.removeAll(but: kept, stateFolder: stateFolder)
        let left = Set(try knownModels().map(\.record.identity))
        return before.filter { !left.contains($0.record.identity) }
    }
}

extension ModelRecord {
    init(row: Row) throws {
        guard let identity = ContentDigest(bytes: row["identity"] as Data) else {
            throw CatalogueError.damaged(file: Catalogue.fileName, message: "a model's identity is not one")
        }
        self.init(
            identity: identity, name: row["name"], precision: row["precision"], dimension: row["dimension"],
            recipe: row["recipe"])
    }
}
