import Foundation
import Products

/// The manifest `index.json`: every product with its file and the SHA-256 of the file's bytes.
struct Index: Sendable {
    static let fileName = "index.json"
    private static let generator = "imgrec-agent"

    /// In the order of the ids.
    private var products: [ProductID]
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

    /// Where the documents lie.
    var outputPaths: [OutputPath] { products.map(OutputPath.init) }
    var paths: Set<String> { Set(outputPaths.map(\.relative)) }

    /// How the file of a model begins.
    static func head(model: String) -> [UInt8] {
        var json = JSONText()
        json.append("{\n  \"schemaVersion\": \(ProductDocument.schemaVersion),\n  \"generator\": ")
        json.append(string: generator)
        json.append(",\n  \"model\": ")
        json.append(string: model)
        json.append(",\n  \"products\": {")
        return json.bytes
    }

    /// The file's bytes.
    func json(model: String) -> [UInt8] {
        var bytes = Self.head(model: model)
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
        digests(in: Data(bytes))?.keys.sorted()
    }

    /// The digests that an index names; nil where the bytes are no index of ours.
    static func digests(in bytes: Data) -> [ProductID: String?]? {
        guard let document = try? JSONDecoder().decode(Document.self, from: bytes),
            document.generator == generator
        else { return nil }
        // Of ids that differ in Unicode spelling alone the decoder has one. Each has a line of its own.
        let lines = bytes.split(separator: UInt8(ascii: "\n")).filter { $0.starts(with: Data("    \"".utf8)) }
        var entries = Array(document.products.values)
        if lines.count > entries.count {
            entries += lines.flatMap { line in
                let line = line.last == UInt8(ascii: ",") ? line.dropLast() : line
                let object = Data("{".utf8) + line + Data("}".utf8)
                let decoded = try? JSONDecoder().decode([String: Document.Product].self, from: object)
                return decoded.map { Array($0.values) } ?? []
            }
        }
        var digests: [ProductID: String?] = [:]
        for entry in entries {
            if let product = OutputPath.product(at: entry.file) { digests[product] = .some(entry.digest) }
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
