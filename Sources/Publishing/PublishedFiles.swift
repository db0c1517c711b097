import Foundation
import Products

/// What lies in the output folder now, for whoever compares it with what should.
package struct PublishedFiles {
    /// What is wrong with a product's document.
    package enum Drift: String, Hashable, Sendable {
        case missing = "its file is missing"
        case other = "its file has other bytes"
        case notIndexed = "index.json does not name it"
        case indexedOther = "index.json names another digest"
    }

    private let folder: String
    private let model: String
    private let digests: [ProductID: String?]

    /// Reads the index.
    package init(folder: String, model: String) {
        self.folder = folder
        self.model = model
        let bytes = FileManager.default.contents(atPath: "\(folder)/\(Index.fileName)") ?? Data()
        digests = Index.digests(in: bytes) ?? [:]
    }

    /// The products that the index names.
    package var products: Set<ProductID> { Set(digests.keys) }

    /// What is wrong with a product's file, if this is its document.
    package func drift(of document: ProductDocument) -> Drift? {
        let expected = document.json(model: model)
        let path = "\(folder)/\(OutputPath(of: document.product).relative)"
        guard let bytes = FileManager.default.contents(atPath: path) else { return .missing }
        guard bytes.elementsEqual(expected) else { return .other }
        guard let digest = digests[document.product] else { return .notIndexed }
        return digest == "sha256:\(ContentDigest(of: expected))" ? nil : .indexedOther
    }
}
