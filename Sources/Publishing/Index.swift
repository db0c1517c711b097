import Foundation
import Products

/// The manifest `index.json`: every product with its file and the SHA-256 of the file's bytes.
enum Index {
    struct Entry: Hashable, Sendable {
        let product: ProductID
        let file: String
        let digest: ContentDigest
    }

    static let fileName = "index.json"
    private static let generator = "imgrec-agent"

    static func json(model: String, entries: [Entry]) -> [UInt8] {
        var json = JSONText()
        json.append("{\n  \"schemaVersion\": \(ProductDocument.schemaVersion),\n  \"generator\": ")
        json.append(string: generator)
        json.append(",\n  \"model\": ")
        json.append(string: model)
        json.append(",\n  \"products\": {")
        for (index, entry) in entries.enumerated() {
            json.append(index == 0 ? "\n    " : ",\n    ")
            json.append(string: entry.product.text)
            json.append(": { \"file\": ")
            json.append(string: entry.file)
            json.append(", \"digest\": \"sha256:\(entry.digest)\" }")
        }
        json.append(entries.isEmpty ? "}\n}\n" : "\n  }\n}\n")
        return json.bytes
    }

    /// The products whose files an index names, or nil where the bytes are no index of ours. A file that does not
    /// lie where its product's document lies is not ours either and is left out.
    static func products(in bytes: [UInt8]) -> [ProductID]? {
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(bytes)),
            document.generator == generator
        else { return nil }
        return document.products.values.compactMap { OutputPath.product(at: $0.file) }.sorted()
    }

    private struct Document: Decodable {
        struct Product: Decodable { let file: String }

        let generator: String
        let products: [String: Product]
    }
}
