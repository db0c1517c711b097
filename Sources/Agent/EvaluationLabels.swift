import Foundation
import Products
import SwiftCSV

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
    static func read(_ file: String) throws(AgentError) -> [String: String] {
        guard let data = FileManager.default.contents(atPath: file) else { throw .noTable(file: file) }
        let table: CSV<Named>
        do {
            table = try CSV<Named>(string: String(decoding: data, as: UTF8.self), loadColumns: false)
        } catch {
            throw .badTable(file: file, reason: "\(error)")
        }
        let names = table.header.map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
        guard let label = names.firstIndex(of: "label"), let key = names.firstIndex(where: keys.contains)
        else {
            throw .badTable(
                file: file,
                reason:
                    "its first line has to name the columns \"product\" (or \"photo\") and \"label\"; it names "
                    + table.header.joined(separator: ", "))
        }
        var labels: [String: String] = [:]
        for row in table.rows {
            guard let thing = row[table.header[key]], let label = row[table.header[label]], !thing.isEmpty,
                !label.isEmpty
            else { continue }
            labels[thing] = label
        }
        return labels
    }
}
