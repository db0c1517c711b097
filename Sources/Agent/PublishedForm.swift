import Catalogue
import Foundation
import Products
import Publishing
import Settings

/// All that decides what a product's document says beside the catalogue: the settings, and the table of attributes as
/// it is now.
package struct PublishedForm: Sendable {
    let output: OutputForm
    private let minimumScore: Float
    private let attributes: AttributeTable?
    /// Of all that the form is made by.
    let digest: ContentDigest

    package init(_ settings: Settings, _ files: any TableFiles) throws(AgentError) {
        output = OutputForm(settings)
        minimumScore = Float(settings.minimumScore)
        attributes =
            if let file = settings.attributesFile { try AttributeTable(file: file, files) } else { nil }
        let parts = [
            "1", "\(output.layout)", "\(output.isCompact)", output.imageBaseURL ?? "",
            output.fields.map(\.rawValue).sorted().joined(separator: ","), "\(output.hasComponent)",
            "\(minimumScore)", attributes.map { "\($0.digest)" } ?? "",
        ]
        digest = ContentDigest(of: parts.joined(separator: "\n").utf8)
    }

    /// When the table of attributes was changed; nil where there is none.
    var stamp: FileStamp? { attributes?.stamp }

    /// How many products the table of attributes names; nil where there is none.
    var attributedCount: Int? { attributes?.count }

    func hasAttributes(_ product: ProductID) -> Bool { attributes?[product] != nil }

    /// A product's document.
    func document(of ranked: RankedProduct) -> ProductDocument {
        ProductDocument(
            product: ranked.product, photos: ranked.photos,
            recommendations: ranked.similar.filter { $0.neighbour.score >= minimumScore }.map {
                .init(
                    product: $0.neighbour.product, photos: $0.photos, score: $0.neighbour.score,
                    attributes: attributes?[$0.neighbour.product] ?? .init())
            },
            attributes: attributes?[ranked.product] ?? .init())
    }
}

/// What a shop says of its products: a table with a column `product`; each other column is an attribute.
struct AttributeTable: Sendable {
    private static let key = "product"
    private static let remedy = "Correct output.attributes, or put the file there."

    /// Of the file's bytes.
    let digest: ContentDigest
    let stamp: FileStamp
    private let rows: [ProductID: ProductAttributes]

    init(file: String, _ files: any TableFiles) throws(AgentError) {
        guard let (stamp, data) = try files.contents(of: file) else {
            throw .noTable(file: file, remedy: Self.remedy)
        }
        self.stamp = stamp
        digest = ContentDigest(of: data)
        let table = try NamedTable(data, file: file)
        let columns = table.columns
        guard let key = columns.firstIndex(where: { $0.lowercased() == Self.key }) else {
            throw .badTable(
                file: file,
                reason:
                    "its first line has to name a column \"product\"; it names \(columns.joined(separator: ", "))"
            )
        }
        for (index, name) in columns.enumerated() where columns[..<index].contains(name) || name.isEmpty {
            throw .badTable(
                file: file,
                reason: name.isEmpty ? "column \(index + 1) has no name" : "two columns are called \(name)")
        }
        var rows: [ProductID: ProductAttributes] = [:]
        for row in table.rows where !row[key].isEmpty {
            let attributes = columns.indices.filter { $0 != key && !row[$0].isEmpty }.map {
                ProductAttributes.Attribute(name: columns[$0], value: row[$0])
            }
            guard rows.updateValue(ProductAttributes(attributes), forKey: ProductID(row[key])) == nil else {
                throw .badTable(file: file, reason: "the product \(row[key]) is in it more than once")
            }
        }
        self.rows = rows
    }

    var count: Int { rows.count }

    subscript(product: ProductID) -> ProductAttributes? { rows[product] }
}

extension FileStamp {
    /// A table that has not changed for so long is taken for whole.
    private static let settle = Duration.seconds(1)

    /// Whether somebody may still be writing the table.
    var isYoung: Bool { RetrySchedule.isYoung(self, within: Self.settle) }

    /// Of the file that a path leads to now; nil where there is none.
    init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.init(
            bytes: Int(status.st_size), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    }
}

extension OutputForm {
    init(_ settings: Settings) {
        self.init()
        layout =
            switch settings.outputLayout {
            case "sharded": .sharded(digits: settings.shardDigits)
            case "single": .single
            default: .products
            }
        isCompact = settings.isOutputCompact
        imageBaseURL = settings.imageBaseURL
        fields = Set(Field.allCases.filter { settings.outputFields.contains($0.rawValue) })
        hasComponent = settings.hasComponent
    }
}
