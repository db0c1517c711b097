import Products

/// What a shop says of its products: a table with a column `product`; each other column is an attribute.
package struct AttributeTable: Sendable {
    private static let key = "product"
    /// Counts changes of how a table is read.
    private static let version = 1
    private static let remedy = "Correct output.attributes, or put the file there."

    /// Of the file's bytes, and of how they are read.
    package let digest: ContentDigest
    package let stamp: FileStamp
    /// Each named product's cells that are not empty.
    package let rows: [ProductID: ProductAttributes]

    /// - Throws: also where a column has no name or that of another, or a product has two lines.
    package init(file: String, _ files: any TableFiles) throws(TableError) {
        guard let (stamp, data) = try files.contents(of: file) else {
            throw .none(file: file, remedy: Self.remedy)
        }
        self.stamp = stamp
        digest = ContentDigest(of: "\(Self.version) \(ContentDigest(of: data))".utf8)
        let table = try NamedTable(data, file: file)
        let columns = table.columns
        guard let key = columns.firstIndex(where: { $0.lowercased() == Self.key }) else {
            let names = columns.filter { !$0.isEmpty }.joined(separator: ", ")
            throw .bad(
                file: file,
                reason: "its first line has to name a column \"product\" "
                    + (names.isEmpty ? "and is empty" : "and names \(names)"))
        }
        for (index, name) in columns.enumerated() where columns[..<index].contains(name) || name.isEmpty {
            throw .bad(
                file: file,
                reason: name.isEmpty ? "column \(index + 1) has no name" : "two columns are called \(name)")
        }
        var rows: [ProductID: ProductAttributes] = [:]
        // No product's name has the character 0.
        for row in table.rows where !row[key].isEmpty && !row[key].utf8.contains(0) {
            let attributes = columns.indices.filter { $0 != key && !row[$0].isEmpty }.map {
                ProductAttributes.Attribute(name: columns[$0], value: row[$0])
            }
            guard rows.updateValue(ProductAttributes(attributes), forKey: ProductID(row[key])) == nil else {
                throw .bad(file: file, reason: "the product \(row[key]) is in it more than once")
            }
        }
        self.rows = rows
    }
}
