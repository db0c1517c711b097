import Foundation
import Products

/// The manifest `index.json`: every product with its file and the SHA-256 of the file's bytes.
struct Index: Sendable {
    static let fileName = "index.json"
    private static let generator = "imgrec-agent"

    /// In the order of the ids.
    private(set) var products: [ProductID]
    /// Each product's line in the file.
    private var lines: [[UInt8]]

    /// - Parameter entries: each product with its file's digest, in the order of the ids.
    init(_ entries: [(product: ProductID, digest: ContentDigest)]) {
        products = entries.map(\.product)
        lines = entries.map(Self.line)
    }

    mutating func set(_ product: ProductID, _ digest: ContentDigest) {
        let position = position(of: product)
        if position < products.count, products[position] == product {
            lines[position] = Self.line(product, digest)
        } else {
            products.insert(product, at: position)
            lines.insert(Self.line(product, digest), at: position)
        }
    }

    mutating func remove(_ product: ProductID) {
        let position = position(of: product)
        guard position < products.count, products[position] == product else { return }
        products.remove(at: position)
        lines.remove(at: position)
    }

    /// Where a product is, or would be.
    private func position(of product: ProductID) -> Int {
        // Most come in order.
        if let last = products.last, last < product { return products.count }
        var (low, high) = (0, products.count)
        while low < high {
            let middle = (low + high) / 2
            if products[middle] < product { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The file's bytes.
    func json(model: String) -> [UInt8] {
        var json = JSONText()
        json.append("{\n  \"schemaVersion\": \(ProductDocument.schemaVersion),\n  \"generator\": ")
        json.append(string: Self.generator)
        json.append(",\n  \"model\": ")
        json.append(string: model)
        json.append(",\n  \"products\": {")
        var bytes = json.bytes
        bytes.reserveCapacity(bytes.count + lines.reduce(16) { $0 + $1.count + 2 })
        for (index, line) in lines.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: line)
        }
        bytes.append(contentsOf: (lines.isEmpty ? "}\n}\n" : "\n  }\n}\n").utf8)
        return bytes
    }

    private static func line(_ product: ProductID, _ digest: ContentDigest) -> [UInt8] {
        var json = JSONText()
        json.append("\n    ")
        json.append(string: product.text)
        json.append(": { \"file\": ")
        json.append(string: OutputPath(of: product).relative)
        json.append(", \"digest\": \"sha256:\(digest)\" }")
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

    /// The digests that an index names; none where the bytes are no index.
    static func digests(in bytes: Data) -> [ProductID: String] {
        guard let document = try? JSONDecoder().decode(Document.self, from: bytes) else { return [:] }
        var digests: [ProductID: String] = [:]
        for product in document.products.values {
            if let id = OutputPath.product(at: product.file) { digests[id] = product.digest }
        }
        return digests
    }

    private struct Document: Decodable {
        struct Product: Decodable {
            let file: String
            let digest: String?
        }

        let generator: String
        let products: [String: Product]
    }
}
