import Foundation
import Products

/// The manifest `index.json`: every product with its file and the SHA-256 of the file's bytes.
struct Index: Sendable {
    static let fileName = "index.json"

    private let form: OutputForm
    /// In the order of the ids.
    private var products: [ProductID]
    /// Each product's line in the file.
    private var lines: [[UInt8]]

    /// - Parameter entries: each product with its file's digest, in the order of the ids.
    init(_ entries: [(product: ProductID, digest: ContentDigest)], form: OutputForm) {
        self.form = form
        products = entries.map(\.product)
        lines = entries.map { Self.line($0, $1, form) }
    }

    mutating func set(_ product: ProductID, _ digest: ContentDigest) {
        let position = position(of: product)
        if position < products.count, products[position] == product {
            lines[position] = Self.line(product, digest, form)
        } else {
            products.insert(product, at: position)
            lines.insert(Self.line(product, digest, form), at: position)
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
    var outputPaths: [OutputPath] { products.map { OutputPath(of: $0, in: form.layout) } }

    /// The file's bytes.
    func json(model: String) -> [UInt8] {
        let head = ProductMap.head(model: model, form: form) { json in
            if form.layout != .products { json.addMember("layout", form.layout.name) }
            if case .sharded(let digits) = form.layout { json.addMember("shardDigits", digits) }
        }
        return ProductMap.bytes(head: head, lines, form: form)
    }

    private static func line(_ product: ProductID, _ digest: ContentDigest, _ form: OutputForm) -> [UInt8] {
        var json = JSONText(isCompact: form.isCompact)
        json.append(string: product.text)
        json.append(form.isCompact ? ":" : ": ")
        json.open(.object)
        json.addMember("file", OutputPath(of: product, in: form.layout).relative)
        json.addMember("digest", "sha256:\(digest)")
        json.close()
        return json.bytes
    }
}

extension Index {
    /// What an index on disk names.
    struct Contents {
        let layout: OutputForm.Layout
        let model: String?
        let digests: [ProductID: String?]

        /// Where the documents lie.
        var paths: Set<OutputPath> { Set(digests.keys.map { OutputPath(of: $0, in: layout) }) }

        /// Reads an index; nil where the bytes are none of ours. A file that does not lie where its product's document
        /// lies is not ours either and is left out.
        init?(_ bytes: some Collection<UInt8>) {
            let bytes = Data(bytes)
            guard let document = try? JSONDecoder().decode(Document.self, from: bytes),
                document.generator == ProductMap.generator
            else { return nil }
            let layout = OutputForm.Layout(
                name: document.layout ?? OutputForm.Layout.products.name, digits: document.shardDigits)
            guard let layout else { return nil }
            self.layout = layout
            model = document.model
            // Of ids that differ in Unicode spelling alone the decoder has one. Each has a line of its own.
            var entries = document.products.map { ($0, $1) }
            let lines = ProductMap.lines(of: bytes)
            if lines.count > entries.count {
                entries += lines.flatMap { line in
                    let object = Data("{".utf8) + line + Data("}".utf8)
                    let decoded = try? JSONDecoder().decode([String: Document.Product].self, from: object)
                    return decoded.map { Array($0) } ?? []
                }
            }
            var digests: [ProductID: String?] = [:]
            for (id, entry) in entries {
                if layout == .single {
                    guard entry.file == OutputPath.ofAll.relative else { continue }
                    digests[ProductID(id)] = .some(entry.digest)
                } else if let product = OutputPath.product(at: entry.file, in: layout) {
                    digests[product] = .some(entry.digest)
                }
            }
            self.digests = digests
        }

        private struct Document: Decodable {
            struct Product: Decodable {
                let file: String
                let digest: String?
            }

            let generator: String
            let model: String?
            let layout: String?
            let shardDigits: Int?
            let products: [String: Product]
        }
    }
}

/// A file with a line for each product: the index, and the file of all products.
enum ProductMap {
    static let generator = "imgrec-agent"

    /// Whether a file that begins with these bytes is one of ours.
    static func isOurs(_ bytes: [UInt8]) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        return text.contains(/^\{\s*"schemaVersion":\s*[0-9]+,\s*"generator":\s*"imgrec-agent",/)
    }

    /// How the file of a model begins, up to the first product.
    ///
    /// - Parameter more: adds what comes before the products.
    static func head(
        model: String, form: OutputForm, _ more: (inout JSONText) -> Void = { _ in }
    ) -> [UInt8] {
        var json = JSONText(isCompact: form.isCompact)
        json.open(.object, isOnLines: true)
        json.addMember("schemaVersion", ProductDocument.schemaVersion)
        json.addMember("generator", generator)
        json.addMember("model", model)
        more(&json)
        json.beginMember("products")
        json.open(.object)
        return json.bytes
    }

    static func bytes(head: [UInt8], _ lines: [[UInt8]], form: OutputForm) -> [UInt8] {
        let indent = Array((form.isCompact ? "\n" : "\n    ").utf8)
        var bytes = head
        bytes.reserveCapacity(bytes.count + lines.reduce(16) { $0 + $1.count + indent.count + 1 })
        for (index, line) in lines.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: indent)
            bytes.append(contentsOf: line)
        }
        let isOpen = form.isCompact || lines.isEmpty
        bytes.append(contentsOf: (isOpen ? "}" : "\n  }").utf8)
        bytes.append(contentsOf: (form.isCompact ? "}\n" : "\n}\n").utf8)
        return bytes
    }

    /// The products' lines of a file that `bytes` made.
    static func lines(of bytes: Data) -> [Data] {
        let (comma, quote, brace) = (UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "}"))
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            var line = line.drop { $0 == UInt8(ascii: " ") }
            if line.last == comma { line = line.dropLast() }
            // What follows the last product in the compact form.
            if line.suffix(3).elementsEqual([brace, brace, brace]) { line = line.dropLast(2) }
            return line.first == quote && line.last == brace ? Data(line) : nil
        }
    }
}
