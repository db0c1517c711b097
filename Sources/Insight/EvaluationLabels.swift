import Foundation
import Products
import Tables

/// Where an evaluation knows from what belongs together.
package enum EvaluationLabels: Hashable, Sendable {
    /// The folder that a product lies in.
    case folders
    /// The product that a photo is of.
    case products
    /// A table with a label for products or photos.
    case table(file: String)

    package var description: String {
        switch self {
        case .folders: "folders"
        case .products: "products"
        case .table(let file): file
        }
    }

    private static let keys = ["product", "photo", "image", "path", "file"]

    /// Reads a table: a line with the names of the columns, of which one is `label` and another one `product` or `photo`.
    static func read(_ file: String) throws(TableError) -> [String: String] {
        let table = try NamedTable(
            file: file, remedy: "Say --labels folders, --labels products, or name a CSV file.")
        let columns = table.columns.map { $0.lowercased() }
        guard let label = columns.firstIndex(of: "label"), let key = columns.firstIndex(where: keys.contains)
        else {
            throw .bad(
                file: file,
                reason:
                    "its first line has to name the columns \"product\" (or \"photo\") and \"label\"; it names "
                    + table.columns.joined(separator: ", "))
        }
        var labels: [String: String] = [:]
        for row in table.rows {
            guard !row[key].isEmpty, !row[label].isEmpty else { continue }
            labels[row[key]] = row[label]
        }
        return labels
    }
}
