import Foundation
import GRDB
import Products

// What the shop says of its products: its table, kept product by product.

extension Catalogue {
    /// Of the table that the attributes are from: the digest of its bytes and of how they are read. Nil where there was none.
    package func attributesFile() throws(CatalogueError) -> ContentDigest? {
        try read { database in
            try Data.fetchOne(database, sql: "SELECT attributes_file FROM ranking").flatMap {
                ContentDigest(bytes: $0)
            }
        }
    }

    /// How many products the table names, and how many of these are ranked.
    package func attributedCounts() throws(CatalogueError) -> (lines: Int, products: Int) {
        try read { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT (SELECT count(*) FROM attribute),
                        (SELECT count(*) FROM attribute JOIN product ON product.id = attribute.product)
                    """)!
            return (row[0], row[1])
        }
    }

    /// Takes on what a table says of products, in the place of what was known. The lists of products of which it says something
    /// else, and of those that may name them, are to be made again.
    ///
    /// - Parameter file: the digest of the table's bytes and of how they are read; nil where there is no table any more.
    package func store(
        attributes: [ProductID: ProductAttributes], of file: ContentDigest?
    ) throws(CatalogueError) {
        try write { database in
            var known: [ProductID: ContentDigest] = [:]
            let rows = try Row.fetchCursor(database, sql: "SELECT product, digest FROM attribute")
            while let row = try rows.next() {
                known[ProductID(row["product"] as String)] = ContentDigest(bytes: row["digest"] as Data)
            }
            for (product, attributes) in attributes {
                let text = attributes.text
                let digest = ContentDigest(of: text.utf8)
                guard known.removeValue(forKey: product) != digest else { continue }
                try database.run(
                    sql: "INSERT OR REPLACE INTO attribute (product, digest, attributes) VALUES (?, ?, ?)",
                    arguments: [product.text, Data(digest.bytes), text])
                try Self.noteChange(of: product, database)
            }
            for product in known.keys {
                try database.run(sql: "DELETE FROM attribute WHERE product = ?", arguments: [product.text])
                try Self.noteChange(of: product, database)
            }
            try database.run(
                sql: "UPDATE ranking SET attributes_file = ?", arguments: [file.map { Data($0.bytes) }])
        }
    }

    /// Has the lists of a product, and of those that may name it, made again.
    static func noteChange(of product: ProductID, _ database: Database) throws {
        try database.run(
            sql: """
                INSERT OR IGNORE INTO unrecommended
                    SELECT id FROM product WHERE id = ?1 UNION SELECT product FROM neighbour WHERE neighbour = ?1
                """,
            arguments: [product.text])
    }

    /// The attributes of every product that has some.
    static func attributes(_ database: Database) throws -> [ProductID: ProductAttributes] {
        var attributes: [ProductID: ProductAttributes] = [:]
        let rows = try Row.fetchCursor(database, sql: "SELECT product, attributes FROM attribute")
        while let row = try rows.next() {
            attributes[ProductID(row["product"] as String)] = ProductAttributes(text: row["attributes"])
        }
        return attributes
    }

    static func attributes(of product: ProductID, _ database: Database) throws -> ProductAttributes {
        let statement = try database.cachedStatement(
            sql: "SELECT attributes FROM attribute WHERE product = ?")
        return try String.fetchOne(statement, arguments: [product.text]).map(ProductAttributes.init(text:))
            ?? ProductAttributes()
    }
}

/// As the catalogue keeps them: a line for each, its name and its value with a tab between them; `\t`, `\n`, `\0` and `\\` stand
/// for a tab, the end of a line, the character 0 and `\` where they are part of either.
extension ProductAttributes {
    var text: String {
        all.map { "\(Self.escaped($0.name))\t\(Self.escaped($0.value))" }.joined(separator: "\n")
    }

    init(text: String) {
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"))
        self.init(
            lines.map { line in
                let tab = line.firstIndex(of: UInt8(ascii: "\t")) ?? line.endIndex
                return Attribute(
                    name: Self.unescaped(line[..<tab]), value: Self.unescaped(line[tab...].dropFirst()))
            })
    }

    private static let escapes: [(character: UInt8, escape: UInt8)] = [
        (UInt8(ascii: "\\"), UInt8(ascii: "\\")), (UInt8(ascii: "\t"), UInt8(ascii: "t")),
        (UInt8(ascii: "\n"), UInt8(ascii: "n")), (0, UInt8(ascii: "0")),
    ]

    private static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { byte in escapes.contains { $0.character == byte } }) else {
            return text
        }
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if let escape = escapes.first(where: { $0.character == byte })?.escape {
                bytes += [UInt8(ascii: "\\"), escape]
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func unescaped(_ text: Substring.UTF8View) -> String {
        guard text.contains(UInt8(ascii: "\\")) else { return String(text) ?? "" }
        var bytes: [UInt8] = []
        var isEscaped = false
        for byte in text {
            if isEscaped {
                bytes.append(escapes.first { $0.escape == byte }?.character ?? byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
