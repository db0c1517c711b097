import Foundation
import GRDB
import Products

/// What there is to note once files are in their places and the index is written.
package struct PublicationNote: Sendable {
    /// Each product's file by its digest.
    package var published: [(product: ProductID, digest: ContentDigest)] = []
    /// Products that have no file any more.
    package var removed: [ProductID] = []
    /// Whose lists the files show.
    package let model: ModelNumber
    /// What lies in the folder: layouts and other kinds of files.
    package let parts: Set<String>
    /// Of what the form of all files is made by.
    package let form: ContentDigest
    /// Products that the hook is to be told of beside those with another digest; nil where there is no hook.
    package var forHook: [ProductID]?
    /// Whether a file of the output folder has changed.
    package var isNewGeneration = true

    package init(model: ModelNumber, parts: Set<String>, form: ContentDigest) {
        (self.model, self.parts, self.form) = (model, parts, form)
    }
}

/// A product's file as it is on disk.
package struct Publication: Hashable, Sendable {
    package let product: ProductID
    /// Of the file's bytes; nil where they are not known.
    package let digest: ContentDigest?
}

extension Catalogue {
    /// Every product of the neighbour table, in the order of the ids, one at a time.
    ///
    /// - Parameter body: called for each product; what it throws ends the walk and is thrown on.
    package func forEachRankedProduct(_ body: (RankedProduct) throws -> Void) throws {
        try walk { database in
            let photos = try Self.photos(database)
            let attributes = try Self.attributes(database)
            let products = try String.fetchCursor(database, sql: "SELECT id FROM product ORDER BY id")
            let neighbours = try Row.fetchCursor(
                database, sql: "SELECT product, neighbour, score FROM neighbour ORDER BY product, rank")
            var neighbour = try neighbours.next()?.copy()
            // Both are in the order of the products: one merge.
            while let product = try products.next().map({ ProductID($0) }) {
                var similar: [Candidate] = []
                while let row = neighbour, ProductID(row["product"] as String) <= product {
                    if ProductID(row["product"] as String) == product {
                        let neighbour = Neighbour(row: row)
                        if let photos = photos[neighbour.product] {
                            similar.append(
                                .init(
                                    neighbour: neighbour, photos: photos,
                                    attributes: attributes[neighbour.product] ?? .init()))
                        }
                    }
                    neighbour = try neighbours.next()?.copy()
                }
                guard let own = photos[product] else { continue }
                let ranked = RankedProduct(
                    product: product, photos: own, attributes: attributes[product] ?? .init(),
                    similar: similar)
                try Self.passOn { try body(ranked) }
            }
        }
    }

    /// The photos of every product, in the order of their paths.
    private static func photos(_ database: Database) throws -> [ProductID: [ProductPhoto]] {
        var photos: [ProductID: [ProductPhoto]] = [:]
        let rows = try Row.fetchCursor(
            database, sql: "SELECT product, path, digest FROM image WHERE state = 'ready' ORDER BY path")
        while let row = try rows.next() {
            if let photo = ProductPhoto(row: row) {
                photos[ProductID(row["product"] as String), default: []].append(photo)
            }
        }
        return photos
    }

    /// Some products, in their order, one at a time; those that are not in the neighbour table as nil.
    package func forEach(of products: [ProductID], _ body: (ProductID, RankedProduct?) throws -> Void) throws
    {
        try walk { database in
            let statement = try database.cachedStatement(
                sql: "SELECT path, digest FROM image WHERE product = ? AND state = 'ready' ORDER BY path")
            func photos(of product: ProductID) throws -> [ProductPhoto] {
                try Row.fetchAll(statement, arguments: [product.text]).compactMap(ProductPhoto.init(row:))
            }
            let isRanked = try database.cachedStatement(sql: "SELECT 1 FROM product WHERE id = ?")
            for product in products {
                var ranked: RankedProduct?
                let own = try photos(of: product)
                if !own.isEmpty, try Int.fetchOne(isRanked, arguments: [product.text]) != nil {
                    let neighbours = try Self.neighbours(of: product, database)
                    ranked = RankedProduct(
                        product: product, photos: own, attributes: try Self.attributes(of: product, database),
                        similar: try neighbours.compactMap { neighbour in
                            let photos = try photos(of: neighbour.product)
                            guard !photos.isEmpty else { return nil }
                            return .init(
                                neighbour: neighbour, photos: photos,
                                attributes: try Self.attributes(of: neighbour.product, database))
                        })
                }
                let found = ranked
                try Self.passOn { try body(product, found) }
            }
        }
    }

    /// Reads with a body whose own errors are passed through as they are.
    func walk(_ body: (Database) throws -> Void) throws {
        do {
            try database.read(body)
        } catch let passed as Passed {
            // What the body did with the database itself is the catalogue's trouble all the same.
            throw (passed.error as? DatabaseError).map { CatalogueError(file: file, $0) } ?? passed.error
        } catch let error as DatabaseError {
            throw CatalogueError(file: file, error)
        }
    }

    /// Writes, with a body that may give up; nothing is written then.
    func writing(_ body: (Database) throws -> Void) throws {
        do {
            try change(body)
        } catch let passed as Passed {
            // What the body did with the database itself is the catalogue's trouble all the same.
            throw (passed.error as? DatabaseError).map { CatalogueError(file: file, $0) } ?? passed.error
        } catch let error as DatabaseError {
            throw CatalogueError(file: file, error)
        }
    }

    struct Passed: Error { let error: any Error }

    static func passOn(_ body: () throws -> Void) throws {
        do { try body() } catch { throw Passed(error: error) }
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

    /// Every product that has, or had and still may have, a file, in the order of their ids.
    package func publications() throws(CatalogueError) -> [Publication] {
        try read { database in
            try Row.fetchAll(database, sql: "SELECT product, digest FROM publication ORDER BY product").map {
                Publication(
                    product: ProductID($0["product"] as String),
                    digest: ($0["digest"] as Data?).flatMap { ContentDigest(bytes: $0) })
            }
        }
    }

    /// The products whose file is not known to be up to date, in the order of their ids.
    package func dueProducts() throws(CatalogueError) -> [ProductID] {
        try read { database in
            try String.fetchAll(
                database, sql: "SELECT product FROM publication WHERE is_due = 1 ORDER BY product"
            ).map { ProductID($0) }
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

    /// The digest of all that the form of all files is made by; nil where that is not known.
    package func publishedForm() throws(CatalogueError) -> ContentDigest? {
        try read { database in
            try Data.fetchOne(database, sql: "SELECT published_form FROM ranking").flatMap {
                ContentDigest(bytes: $0)
            }
        }
    }

    /// Notes what is going to be written to the output folder.
    ///
    /// - Parameter parts: layouts and other kinds of files, without spaces.
    /// - Returns: what may lie there already.
    package func beginPublishing(_ parts: Set<String>) throws(CatalogueError) -> Set<String> {
        let before = try read { try Self.publishedParts($0) }
        if !parts.isSubset(of: before) {
            try attempt(file) { try writeDurably { try Self.set(parts: parts.union(before), $0) } }
        }
        return before
    }

    private static func publishedParts(_ database: Database) throws -> Set<String> {
        let text = try String.fetchOne(database, sql: "SELECT published_parts FROM ranking") ?? ""
        return Set(text.split(separator: " ").map(String.init))
    }

    private static func set(parts: Set<String>, _ database: Database) throws {
        try database.run(
            sql: "UPDATE ranking SET published_parts = ?", arguments: [parts.sorted().joined(separator: " ")])
    }

    /// Notes what is on disk now, after the index was written.
    package func notePublished(_ note: PublicationNote) throws(CatalogueError) {
        try write { database in
            if let others = note.forHook {
                try Self.noteForHook(others + note.removed, changed: note.published, database)
            }
            try Self.set(parts: note.parts, database)
            try database.run(
                sql: "UPDATE ranking SET published_form = ?1 WHERE published_form IS NOT ?1",
                arguments: [Data(note.form.bytes)])
            try database.run(
                sql: "UPDATE ranking SET published = ?1 WHERE published IS NOT ?1", arguments: [note.model.id]
            )
            if note.isNewGeneration {
                try database.run(sql: "UPDATE ranking SET generation = generation + 1")
            }
            for (product, digest) in note.published {
                try database.run(
                    sql: """
                        INSERT INTO publication (product, digest, is_due) VALUES (?1, ?2, 0)
                        ON CONFLICT (product) DO UPDATE SET digest = ?2, is_due = 0
                            WHERE is_due = 1 OR digest IS NOT ?2
                        """,
                    arguments: [product.text, Data(digest.bytes)])
            }
            for product in note.removed {
                try database.run(
                    sql: "DELETE FROM publication WHERE product = ?", arguments: [product.text])
            }
        }
    }

    // MARK: What is due

    /// The products whose lists are to be made again, in the order of their ids.
    package func unrecommendedProducts() throws(CatalogueError) -> [ProductID] {
        try read { database in
            try String.fetchAll(database, sql: "SELECT product FROM unrecommended ORDER BY product")
                .map { ProductID($0) }
        }
    }

    /// The digests of some products' files; those whose file is not known as nil, those that have none not at all.
    package func publishedDigests(of products: [ProductID]) throws(CatalogueError) -> [ProductID:
        ContentDigest?]
    {
        try read { database in
            let statement = try database.cachedStatement(
                sql: "SELECT digest FROM publication WHERE product = ?")
            var digests: [ProductID: ContentDigest?] = [:]
            for product in products {
                guard let row = try Row.fetchOne(statement, arguments: [product.text]) else { continue }
                digests[product] = .some((row["digest"] as Data?).flatMap { ContentDigest(bytes: $0) })
            }
            return digests
        }
    }

    /// Notes that lists were made: of these products some files are due. It is on the disk when this returns, so that no power
    /// cut leaves a file that nobody knows of.
    package func noteRecommended(_ products: [ProductID], due: [ProductID]) throws(CatalogueError) {
        try attempt(file) {
            try writeDurably { database in
                for product in products {
                    try database.run(
                        sql: "DELETE FROM unrecommended WHERE product = ?", arguments: [product.text])
                }
                for product in due {
                    try database.run(
                        sql: """
                            INSERT INTO publication (product, digest, is_due) VALUES (?, NULL, 1)
                            ON CONFLICT (product) DO UPDATE SET is_due = 1
                            """,
                        arguments: [product.text])
                }
            }
        }
    }

    /// Notes that all lists are made, and files due whose lists were to be made again: all files are going to be looked at.
    package func noteAllRecommended() throws(CatalogueError) {
        try attempt(file) {
            try writeDurably { database in
                try database.execute(
                    sql: """
                        INSERT INTO publication (product, digest, is_due)
                            SELECT product, NULL, 1 FROM unrecommended
                                WHERE product IN (SELECT id FROM product UNION SELECT product FROM publication)
                            ON CONFLICT (product) DO UPDATE SET is_due = 1;
                        DELETE FROM unrecommended;
                        """)
            }
        }
    }
}

extension ProductPhoto {
    fileprivate init?(row: Row) {
        guard let path = ImagePath(row["path"] as String),
            let digest = ContentDigest(bytes: row["digest"] as Data)
        else { return nil }
        self.init(path: path, digest: digest)
    }
}
